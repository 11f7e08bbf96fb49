-- Open dead letters of a few errors, one for every so many of the finished jobs, which have failed then.
INSERT INTO dead_letters (dead_letter_id, queue, kind, job_id, code, product_id, error_code, error_message, fingerprint,
                          traceback, attempts, first_failed_at, last_failed_at, version, run_at, published_at)
SELECT CONCAT('dl_01J', LPAD(seq, 23, '0')), 'pdf', 'job', CONCAT('pdf_01J', LPAD(seq, 23, '0')), CONCAT('K', seq),
       'minatBakatUmum', 'report_not_found', CONCAT('There is no report with code K', seq),
       LEFT(SHA2(MOD(letter, $errors), 256), 16), REPEAT('x', 2000), 1, UTC_TIMESTAMP(6) - INTERVAL seq MICROSECOND,
       UTC_TIMESTAMP(6) - INTERVAL seq MICROSECOND, '1.0.0', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
FROM (SELECT seq * $step AS seq, seq AS letter FROM seq_${first}_to_${last}) AS numbers;

UPDATE pdf_job_results j JOIN dead_letters d ON d.job_id=j.job_id
SET j.status='failed', j.error_code='report_not_found';
