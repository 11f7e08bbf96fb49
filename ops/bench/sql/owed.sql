-- Callbacks that are owed to one host, due for a minute.
INSERT INTO deliveries (delivery_id, job_id, round, event, url, host, record, owed_at, run_at, turn)
SELECT CONCAT('dlv_01L', LPAD(seq, 23, '0')), CONCAT('pdf_01L', LPAD(seq, 23, '0')), 1, 'completed',
       'https://away.example.com/x', '$host', '{}', UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE - INTERVAL seq MICROSECOND,
       UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE - INTERVAL seq MICROSECOND, ELT(1 + MOD(seq, 3), 0, 4, 9)
FROM seq_${first}_to_${last};
