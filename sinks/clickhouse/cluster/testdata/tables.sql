CREATE DATABASE IF NOT EXISTS bronze ON CLUSTER `city` COMMENT 'Sự kiện: mọi thay đổi như đã nhận — What happened: every change as it came';

CREATE DATABASE IF NOT EXISTS `bronze_shard` ON CLUSTER `city` COMMENT 'Sự kiện: mọi thay đổi như đã nhận — What happened: every change as it came';

CREATE DATABASE IF NOT EXISTS silver ON CLUSTER `city` COMMENT 'Hiện trạng: phiên bản mới nhất của mỗi bản ghi — What is: the latest version of every record';

CREATE DATABASE IF NOT EXISTS `silver_shard` ON CLUSTER `city` COMMENT 'Hiện trạng: phiên bản mới nhất của mỗi bản ghi — What is: the latest version of every record';

CREATE DATABASE IF NOT EXISTS gold ON CLUSTER `city` COMMENT 'Chỉ số và kho chủ đề cho lãnh đạo — What leaders read: marts and indicators';

CREATE DATABASE IF NOT EXISTS ops ON CLUSTER `city` COMMENT 'Vận hành: độ trễ, đối soát, bản ghi lỗi, danh mục — Operations: freshness, reconciliation, dead letters, catalogue';

CREATE TABLE IF NOT EXISTS `silver_shard`.`health_patient` ON CLUSTER `city`
(
    `patient_id` Int64 COMMENT 'Mã người bệnh — Number of the patient',
    `cccd` Nullable(String) COMMENT 'Số định danh cá nhân do người bệnh xuất trình — Personal identity number as shown by the patient (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)',
    `full_name` Nullable(String) COMMENT 'Họ và tên người bệnh — Name of the patient',
    `birth_date` Nullable(Date32) COMMENT 'Ngày sinh; ngày 01 tháng 01 khi chỉ biết năm — Date of birth; 1 January when only the year is known',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_op` LowCardinality(String) COMMENT 'Thao tác: c tạo, u sửa, d xóa, r đọc ban đầu, t xóa trắng, m đọc lại xong — Operation: c create, u update, d delete, r snapshot read, t truncate, m new snapshot complete',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_is_deleted` UInt8 COMMENT '1 khi bản ghi đã bị xóa — 1 when the record was deleted',
    `_incomplete` Array(String) COMMENT 'Các cột có giá trị chưa biết vì nguồn không gửi — Columns whose value is not known, because the source did not send it',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL',
    `_lsn` UInt64 COMMENT 'Vị trí nhật ký (LSN) của giao dịch — Log position (LSN) of the transaction\'s commit',
    `_commit_time` DateTime64(6, 'UTC') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_topic` LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    `_partition` Int32 COMMENT 'Phân vùng Kafka — Kafka partition',
    `_offset` Int64 COMMENT 'Vị trí trong phân vùng Kafka — Kafka offset'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', _version, _is_deleted)
ORDER BY (_source, `patient_id`)
COMMENT 'Hiện trạng của — Latest rows of: Người bệnh đã đăng ký tại các cơ sở y tế — Patients registered at the facilities';

CREATE TABLE IF NOT EXISTS `silver`.`health_patient` ON CLUSTER `city` AS `silver_shard`.`health_patient`
ENGINE = Distributed(`city`, `silver_shard`, `health_patient`)
COMMENT 'Hiện trạng của — Latest rows of: Người bệnh đã đăng ký tại các cơ sở y tế — Patients registered at the facilities';

CREATE TABLE IF NOT EXISTS `bronze_shard`.`health_patient` ON CLUSTER `city`
(
    `patient_id` Int64 COMMENT 'Mã người bệnh — Number of the patient',
    `cccd` Nullable(String) COMMENT 'Số định danh cá nhân do người bệnh xuất trình — Personal identity number as shown by the patient (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)',
    `full_name` Nullable(String) COMMENT 'Họ và tên người bệnh — Name of the patient',
    `birth_date` Nullable(Date32) COMMENT 'Ngày sinh; ngày 01 tháng 01 khi chỉ biết năm — Date of birth; 1 January when only the year is known',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_op` LowCardinality(String) COMMENT 'Thao tác: c tạo, u sửa, d xóa, r đọc ban đầu, t xóa trắng, m đọc lại xong — Operation: c create, u update, d delete, r snapshot read, t truncate, m new snapshot complete',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_is_deleted` UInt8 COMMENT '1 khi bản ghi đã bị xóa — 1 when the record was deleted',
    `_unchanged` Array(String) COMMENT 'Các cột mà bản cập nhật không gửi giá trị — Columns whose value the update did not send',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL',
    `_range` Array(String) COMMENT 'Phần bảng đã đọc lại (thao tác m): cột, từ, đến; trống là cả bảng — The part of the table that was read anew (operation m): column, from, to; empty for all of it',
    `_tx` Int64 COMMENT 'Số giao dịch tại nguồn — Transaction number at the source',
    `_lsn` UInt64 COMMENT 'Vị trí nhật ký (LSN) của giao dịch — Log position (LSN) of the transaction\'s commit',
    `_commit_time` DateTime64(6, 'UTC') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_topic` LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    `_partition` Int32 COMMENT 'Phân vùng Kafka — Kafka partition',
    `_offset` Int64 COMMENT 'Vị trí trong phân vùng Kafka — Kafka offset',
    `_ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'Thời điểm ghi vào kho — Time of arrival in the warehouse',
    PROJECTION last_offset (SELECT _topic, _partition, max(_offset) GROUP BY _topic, _partition)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (_source, `patient_id`, _version)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Người bệnh đã đăng ký tại các cơ sở y tế — Patients registered at the facilities';

CREATE TABLE IF NOT EXISTS `bronze`.`health_patient` ON CLUSTER `city` AS `bronze_shard`.`health_patient`
ENGINE = Distributed(`city`, `bronze_shard`, `health_patient`)
COMMENT 'Sự kiện của — Events of: Người bệnh đã đăng ký tại các cơ sở y tế — Patients registered at the facilities';

CREATE OR REPLACE VIEW `silver`.`v_health_patient` ON CLUSTER `city`
(
    `patient_id` Int64 COMMENT 'Mã người bệnh — Number of the patient',
    `cccd` Nullable(String) COMMENT 'Số định danh cá nhân do người bệnh xuất trình — Personal identity number as shown by the patient (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)',
    `full_name` Nullable(String) COMMENT 'Họ và tên người bệnh — Name of the patient',
    `birth_date` Nullable(Date32) COMMENT 'Ngày sinh; ngày 01 tháng 01 khi chỉ biết năm — Date of birth; 1 January when only the year is known',
    `person_id` Nullable(String) COMMENT 'Mã người thống nhất; trống khi chưa đối khớp — The person\'s id over all sectors; empty while not matched',
    `citizen` Nullable(String) COMMENT 'Bản ghi dân cư của người đó; trống khi chưa liên kết — The person\'s record in the population register; empty while not linked',
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_commit_time` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_incomplete` Array(String) COMMENT 'Các cột có giá trị chưa biết vì nguồn không gửi — Columns whose value is not known, because the source did not send it',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL'
)
AS SELECT
    t.`patient_id` AS `patient_id`,
    t.`cccd` AS `cccd`,
    t.`full_name` AS `full_name`,
    t.`birth_date` AS `birth_date`,
    nullIf(l.person_id, '') AS `person_id`,
    l.citizen AS `citizen`,
    t._source AS `_source`,
    t._record AS `_record`,
    t._version AS `_version`,
    toTimeZone(t._commit_time, 'Asia/Ho_Chi_Minh') AS `_commit_time`,
    t._incomplete AS `_incomplete`,
    t._arrays AS `_arrays`
FROM `silver`.`health_patient` AS t FINAL
LEFT ANY JOIN (SELECT record, coalesce(person_id, '') AS person_id, citizen FROM `silver`.`identity_link` FINAL) AS l ON l.record = t._record
COMMENT 'Người bệnh đã đăng ký tại các cơ sở y tế — Patients registered at the facilities';

CREATE OR REPLACE VIEW `silver`.`health_patient_history` ON CLUSTER `city`
(
    `patient_id` Int64 COMMENT 'Mã người bệnh — Number of the patient',
    `cccd` Nullable(String) COMMENT 'Số định danh cá nhân do người bệnh xuất trình — Personal identity number as shown by the patient (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)',
    `full_name` Nullable(String) COMMENT 'Họ và tên người bệnh — Name of the patient',
    `birth_date` Nullable(Date32) COMMENT 'Ngày sinh; ngày 01 tháng 01 khi chỉ biết năm — Date of birth; 1 January when only the year is known',
    `_valid_from` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Có hiệu lực từ — Valid from',
    `_valid_to` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Hết hiệu lực lúc; trống khi còn hiệu lực — Valid until; empty while it is valid',
    `_deleted` Bool COMMENT 'Phiên bản này là một lần xóa — This version is a deletion',
    `_op` LowCardinality(String) COMMENT 'Thao tác: c tạo, u sửa, d xóa, r đọc ban đầu, t xóa trắng, m đọc lại xong — Operation: c create, u update, d delete, r snapshot read, t truncate, m new snapshot complete',
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL',
    `_topic` LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    `_partition` Int32 COMMENT 'Phân vùng Kafka — Kafka partition',
    `_offset` Int64 COMMENT 'Vị trí trong phân vùng Kafka — Kafka offset'
)
AS SELECT
    h.`patient_id` AS `patient_id`,
    (argMaxIf(tuple(h.`cccd`), h._version, NOT has(h._unchanged, 'cccd')) OVER before).1 AS `cccd`,
    (argMaxIf(tuple(h.`full_name`), h._version, NOT has(h._unchanged, 'full_name')) OVER before).1 AS `full_name`,
    h.`birth_date` AS `birth_date`,
    toTimeZone(h._commit_time, 'Asia/Ho_Chi_Minh') AS `_valid_from`,
    toTimeZone(multiIf(h.next_commit IS NULL AND h.cut.1 = 0, NULL, h.next_commit IS NULL, h.cut.2, h.cut.1 = 0, h.next_commit, least(assumeNotNull(h.next_commit), h.cut.2)), 'Asia/Ho_Chi_Minh') AS `_valid_to`,
    h._is_deleted = 1 AS `_deleted`,
    h._op AS `_op`,
    h._source AS `_source`,
    h._record AS `_record`,
    h._version AS `_version`,
    CAST([], 'Array(String)') AS `_arrays`,
    h._topic AS `_topic`,
    h._partition AS `_partition`,
    h._offset AS `_offset`
FROM
(
    SELECT
        e.*,
        min(toNullable(_commit_time)) OVER (PARTITION BY _source, _record ORDER BY _version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_commit,
        arrayFirst(x -> x.1 > _version AND (empty(x.3) OR x.3[1] = 'patient_id' AND (x.3[2] = '' OR e.`patient_id` >= toInt64OrZero(substring(x.3[2], 2))) AND (x.3[3] = '' OR e.`patient_id` <= toInt64OrZero(substring(x.3[3], 2)))), c.cuts) AS cut
    FROM `bronze`.`health_patient` AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM `bronze`.`health_patient`
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
COMMENT 'Lịch sử các phiên bản của — History of: Người bệnh đã đăng ký tại các cơ sở y tế — Patients registered at the facilities';

ALTER TABLE `silver_shard`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `visits` Nullable(Int64);

ALTER TABLE `silver`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `visits` Nullable(Int64);

ALTER TABLE `silver_shard`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `debt` Nullable(Decimal(12, 3));

ALTER TABLE `silver`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `debt` Nullable(Decimal(12, 3));

ALTER TABLE `silver_shard`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `phone` Nullable(String) COMMENT 'Số điện thoại người bệnh hoặc người nhà — Telephone number of the patient or of a relative (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)' AFTER `rank`;

ALTER TABLE `silver`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `phone` Nullable(String) COMMENT 'Số điện thoại người bệnh hoặc người nhà — Telephone number of the patient or of a relative (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)' AFTER `rank`;

ALTER TABLE `silver_shard`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `born` Nullable(Date32) AFTER `phone`;

ALTER TABLE `silver`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `born` Nullable(Date32) AFTER `phone`;

ALTER TABLE `bronze_shard`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `visits` Nullable(Int64);

ALTER TABLE `bronze`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `visits` Nullable(Int64);

ALTER TABLE `bronze_shard`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `debt` Nullable(Decimal(12, 3));

ALTER TABLE `bronze`.`health_patient` ON CLUSTER `city` MODIFY COLUMN `debt` Nullable(Decimal(12, 3));

ALTER TABLE `bronze_shard`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `phone` Nullable(String) COMMENT 'Số điện thoại người bệnh hoặc người nhà — Telephone number of the patient or of a relative (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)' AFTER `rank`;

ALTER TABLE `bronze`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `phone` Nullable(String) COMMENT 'Số điện thoại người bệnh hoặc người nhà — Telephone number of the patient or of a relative (mã thay thế có khóa, không phải số thật — a keyed token, not the number itself)' AFTER `rank`;

ALTER TABLE `bronze_shard`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `born` Nullable(Date32) AFTER `phone`;

ALTER TABLE `bronze`.`health_patient` ON CLUSTER `city` ADD COLUMN IF NOT EXISTS `born` Nullable(Date32) AFTER `phone`;

CREATE TABLE IF NOT EXISTS `bronze_shard`.`tax_log` ON CLUSTER `city`
(
    `line` Nullable(String),
    `_version_` Nullable(Int32),
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_op` LowCardinality(String) COMMENT 'Thao tác: c tạo, u sửa, d xóa, r đọc ban đầu, t xóa trắng, m đọc lại xong — Operation: c create, u update, d delete, r snapshot read, t truncate, m new snapshot complete',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_is_deleted` UInt8 COMMENT '1 khi bản ghi đã bị xóa — 1 when the record was deleted',
    `_unchanged` Array(String) COMMENT 'Các cột mà bản cập nhật không gửi giá trị — Columns whose value the update did not send',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL',
    `_range` Array(String) COMMENT 'Phần bảng đã đọc lại (thao tác m): cột, từ, đến; trống là cả bảng — The part of the table that was read anew (operation m): column, from, to; empty for all of it',
    `_tx` Int64 COMMENT 'Số giao dịch tại nguồn — Transaction number at the source',
    `_lsn` UInt64 COMMENT 'Vị trí nhật ký (LSN) của giao dịch — Log position (LSN) of the transaction\'s commit',
    `_commit_time` DateTime64(6, 'UTC') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_topic` LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    `_partition` Int32 COMMENT 'Phân vùng Kafka — Kafka partition',
    `_offset` Int64 COMMENT 'Vị trí trong phân vùng Kafka — Kafka offset',
    `_ingested_at` DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC') COMMENT 'Thời điểm ghi vào kho — Time of arrival in the warehouse',
    PROJECTION last_offset (SELECT _topic, _partition, max(_offset) GROUP BY _topic, _partition)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}')
ORDER BY (_partition, _offset)
SETTINGS replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: tax_log';

CREATE TABLE IF NOT EXISTS `bronze`.`tax_log` ON CLUSTER `city` AS `bronze_shard`.`tax_log`
ENGINE = Distributed(`city`, `bronze_shard`, `tax_log`)
COMMENT 'Sự kiện của — Events of: tax_log';

