-- One job in so many is of a product that is rare.
UPDATE pdf_job_results SET product_id='$product'
WHERE job_id IN (SELECT CONCAT('pdf_01J', LPAD(seq, 23, '0')) FROM seq_${first}_to_${last}_step_$step);
