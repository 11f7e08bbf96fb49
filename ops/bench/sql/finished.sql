-- Completed jobs with what hangs on each: an attempt, a delivered callback and its POST.
INSERT INTO pdf_job_results (job_id, code, product_id, status, requested_at, run_at, ended_at, completed_at,
                             progress, start_no, fingerprint)
SELECT CONCAT('pdf_01J', LPAD(seq, 23, '0')), CONCAT('K', seq), 'minatBakatUmum', 'completed', $ended, $ended, $ended,
       $ended, 100, 1, SHA2(seq, 256)
FROM seq_${first}_to_${last};

INSERT INTO attempts (job_id, number, round, started_at, ended_at, outcome)
SELECT CONCAT('pdf_01J', LPAD(seq, 23, '0')), 1, 1, $ended, $ended, 'completed'
FROM seq_${first}_to_${last};

INSERT INTO deliveries (delivery_id, job_id, round, status, event, url, host, record, owed_at, run_at, recorded_at,
                        ended_at, tries)
SELECT CONCAT('dlv_01J', LPAD(seq, 23, '0')), CONCAT('pdf_01J', LPAD(seq, 23, '0')), 1, 'delivered', 'completed',
       'https://n8n.example.com/webhook/done', 'n8n.example.com:443', '{}', $ended, $ended, $ended, $ended, 1
FROM seq_${first}_to_${last};

INSERT INTO delivery_attempts (delivery_id, number, started_at, ended_at, outcome, status)
SELECT CONCAT('dlv_01J', LPAD(seq, 23, '0')), 1, $ended, $ended, 'delivered', 200
FROM seq_${first}_to_${last};
