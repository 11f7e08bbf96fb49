-- Waiting jobs of all three priorities.
INSERT INTO pdf_job_results (job_id, code, product_id, priority, turn, callback, fingerprint, requested_at, run_at)
SELECT CONCAT('pdf_$name', LPAD(seq, $digits, '0')), CONCAT('code', seq), CONCAT('product', MOD(seq, 3)),
       ELT(1 + MOD(seq, 3), 9, 5, 0), ELT(1 + MOD(seq, 3), 0, 4, 9), '$callback', '',
       UTC_TIMESTAMP(6) - INTERVAL ($last - seq) MICROSECOND, UTC_TIMESTAMP(6)
FROM seq_${first}_to_${last};
