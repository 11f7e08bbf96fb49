-- Letters that were replayed, and swept from `.XQ`.
INSERT INTO dead_letters (dead_letter_id, status, queue, kind, job_id, error_code, error_message, fingerprint, traceback,
                          attempts, first_failed_at, last_failed_at, version, run_at, published_at, resolved_at,
                          resolved_by, swept_at)
SELECT CONCAT('dl_01L', LPAD(seq, 23, '0')), 'replayed', 'pdf', 'job', CONCAT('pdf_01L', LPAD(seq, 23, '0')), 'x', 'x',
       LEFT(SHA2(MOD(seq, $errors), 256), 16), REPEAT('x', 300), 1, died, died, '1.0.0', died, died, died, 'bench', died
FROM (SELECT seq, UTC_TIMESTAMP(6) - INTERVAL seq MICROSECOND AS died FROM seq_${first}_to_${last}) AS numbers;
