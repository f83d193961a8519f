ALTER TABLE `replay`.`health_patient` MODIFY COLUMN `visits` Nullable(Int64);
ALTER TABLE `replay`.`health_patient` MODIFY COLUMN `debt` Nullable(Decimal(12, 3));
ALTER TABLE `replay`.`health_patient` ADD COLUMN IF NOT EXISTS `phone` Nullable(String) COMMENT 'Số điện thoại người bệnh hoặc người nhà — Telephone number of the patient or of a relative (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)' AFTER `rank`;
ALTER TABLE `replay`.`health_patient` ADD COLUMN IF NOT EXISTS `born` Nullable(Date32) AFTER `phone`;
