CREATE OR REPLACE VIEW `silver`.`identity_link_at`
(
    `record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `source` Nullable(String) COMMENT 'Nguồn của bản ghi — Source of the record',
    `sector` Nullable(String) COMMENT 'Lĩnh vực của bản ghi — Sector of the record',
    `table` Nullable(String) COMMENT 'Bảng của bản ghi — Table of the record',
    `person_id` Nullable(String) COMMENT 'Mã người thống nhất trên mọi lĩnh vực — The person\'s id over all sectors',
    `citizen` Nullable(String) COMMENT 'Bản ghi dân cư của người đó; trống khi chưa liên kết — The person\'s record in the population register; empty while not linked',
    `decision` Nullable(String) COMMENT 'Quyết định: link liên kết, review cần xem lại, apart tách, single chưa có bản ghi khác — Decision: link, review, apart, single',
    `rule` Nullable(String) COMMENT 'Quy tắc đã liên kết — The rule that linked it',
    `reasons` Nullable(String) COMMENT 'Lý do (JSON) — Reasons (JSON)',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
    `weight` Nullable(Float64) COMMENT 'Trọng số khớp (bit) đã quyết định — The match weight in bits that decided',
    `valid_from` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Có hiệu lực từ — Valid from',
    `valid_to` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Hết hiệu lực lúc; trống khi còn hiệu lực — Valid until; empty while it is valid'
)
AS SELECT
    h.`record` AS `record`,
    h.`source` AS `source`,
    h.`sector` AS `sector`,
    h.`table` AS `table`,
    h.`person_id` AS `person_id`,
    h.`citizen` AS `citizen`,
    h.`decision` AS `decision`,
    h.`rule` AS `rule`,
    h.`reasons` AS `reasons`,
    h.`model_version` AS `model_version`,
    h.`weight` AS `weight`,
    h.valid_from AS `valid_from`,
    h.valid_to AS `valid_to`
FROM
(
    SELECT
        *,
        toTimeZone(_commit_time, 'Asia/Ho_Chi_Minh') AS valid_from,
        toTimeZone(min(toNullable(_commit_time)) OVER (PARTITION BY _source, _record ORDER BY _version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 'Asia/Ho_Chi_Minh') AS valid_to
    FROM bronze.identity_link
) AS h
WHERE h._is_deleted = 0 AND h.valid_from <= {at:DateTime64(6, 'Asia/Ho_Chi_Minh')} AND (h.valid_to IS NULL OR h.valid_to > {at:DateTime64(6, 'Asia/Ho_Chi_Minh')})
COMMENT 'Mỗi bản ghi thuộc về ai vào một thời điểm (tham số at) — To whom each record belonged at a time (parameter at)'

CREATE TABLE IF NOT EXISTS `bronze`.`identity_event`
(
    `kind` Nullable(String) COMMENT 'Loại: merge gộp, split tách, move chuyển — Kind: merge, split or move',
    `before` Nullable(String) COMMENT 'Những người trước đó và bản ghi của họ (JSON) — The persons before and their records (JSON)',
    `after` Nullable(String) COMMENT 'Những người sau đó và bản ghi của họ (JSON) — The persons after and their records (JSON)',
    `causes` Nullable(String) COMMENT 'Các bản ghi đã thay đổi hoặc được quyết định (JSON) — The records that changed or were decided on (JSON)',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
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
ENGINE = MergeTree
ORDER BY (_partition, _offset)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Nhật ký gộp, tách người — Log of merges and splits of persons'

CREATE OR REPLACE VIEW `silver`.`identity_event`
(
    `at` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Thời điểm của thay đổi tại nguồn — When what caused it was committed at its source',
    `kind` Nullable(String) COMMENT 'Loại: merge gộp, split tách, move chuyển — merge: several persons became one; split: one became several; move: several became several others',
    `persons_before` Array(String) COMMENT 'Những người trước đó — The persons before',
    `persons_after` Array(String) COMMENT 'Những người sau đó — The persons after',
    `before` Array(Tuple(person_id String, records Array(String))) COMMENT 'Bản ghi của từng người trước đó — The records of each person before',
    `after` Array(Tuple(person_id String, records Array(String))) COMMENT 'Bản ghi của từng người sau đó; bản ghi mới hoặc đã mất chỉ có một bên — The records of each person after; one that is new or gone is on one side only',
    `causes` Array(String) COMMENT 'Các bản ghi đã thay đổi hoặc được quyết định; trống khi do mô hình khác — The records that changed or were decided on; empty when something else did it, as another model',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
    `_topic` LowCardinality(String) COMMENT 'Chủ đề Kafka — Kafka topic',
    `_partition` Int32 COMMENT 'Phân vùng Kafka — Kafka partition',
    `_offset` Int64 COMMENT 'Vị trí trong phân vùng Kafka — Kafka offset'
)
AS SELECT
    toTimeZone(e._commit_time, 'Asia/Ho_Chi_Minh') AS `at`,
    e.`kind` AS `kind`,
    arrayMap(p -> p.1, before) AS `persons_before`,
    arrayMap(p -> p.1, after) AS `persons_after`,
    JSONExtract(assumeNotNull(e.`before`), 'Array(Tuple(person_id String, records Array(String)))') AS `before`,
    JSONExtract(assumeNotNull(e.`after`), 'Array(Tuple(person_id String, records Array(String)))') AS `after`,
    JSONExtract(assumeNotNull(e.`causes`), 'Array(String)') AS `causes`,
    e.`model_version` AS `model_version`,
    e.`_topic` AS `_topic`,
    e.`_partition` AS `_partition`,
    e.`_offset` AS `_offset`
FROM bronze.identity_event AS e
COMMENT 'Các lần gộp, tách người: trước, sau và nguyên nhân — Merges and splits of persons: before, after and cause'

CREATE TABLE IF NOT EXISTS `bronze`.`identity_audit`
(
    `at` Nullable(Int64) COMMENT 'Thời điểm (mili giây từ 1970) — When (milliseconds since 1970)',
    `who` Nullable(String) COMMENT 'Người xem xét — The reviewer',
    `action` Nullable(String) COMMENT 'Việc làm: list, show, decide, decisions — Action: list, show, decide or decisions',
    `outcome` Nullable(String) COMMENT 'Kết quả: shown, decided, proposed, approved, withdrawn, unchanged, refused — Outcome: shown, decided, proposed, approved, withdrawn, unchanged or refused',
    `record_a` Nullable(String) COMMENT 'Bản ghi thứ nhất của cặp — The pair\'s first record',
    `record_b` Nullable(String) COMMENT 'Bản ghi kia của cặp — The pair\'s other record',
    `verdict` Nullable(String) COMMENT 'Quyết định đã nói: same, different, undo — What was said: same, different or undo',
    `reason` Nullable(String) COMMENT 'Lý do — Why, or why it was refused',
    `personal` Nullable(Bool) COMMENT 'Đã xem dữ liệu cá nhân — Columns with personal data were shown',
    `remote` Nullable(String) COMMENT 'Địa chỉ đã hỏi — The address that asked',
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
ENGINE = MergeTree
ORDER BY (_partition, _offset)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Nhật ký việc làm của người xem xét — Log of what reviewers did'

CREATE OR REPLACE VIEW `ops`.`identity_audit`
(
    `at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm — When',
    `who` Nullable(String) COMMENT 'Người xem xét — The reviewer',
    `action` Nullable(String) COMMENT 'Việc làm: list, show, decide, decisions — Action: list, show, decide or decisions',
    `outcome` Nullable(String) COMMENT 'Kết quả: shown, decided, proposed, approved, withdrawn, unchanged, refused — Outcome: shown, decided, proposed, approved, withdrawn, unchanged or refused',
    `record_a` Nullable(String) COMMENT 'Bản ghi thứ nhất của cặp — The pair\'s first record',
    `record_b` Nullable(String) COMMENT 'Bản ghi kia của cặp — The pair\'s other record',
    `verdict` Nullable(String) COMMENT 'Quyết định đã nói: same, different, undo — What was said: same, different or undo',
    `reason` Nullable(String) COMMENT 'Lý do — Why, or why it was refused',
    `personal` Nullable(Bool) COMMENT 'Đã xem dữ liệu cá nhân — Columns with personal data were shown',
    `remote` Nullable(String) COMMENT 'Địa chỉ đã hỏi — The address that asked',
    `_partition` Int32 COMMENT 'Phân vùng Kafka — Kafka partition',
    `_offset` Int64 COMMENT 'Vị trí trong phân vùng Kafka — Kafka offset'
)
AS SELECT
    toTimeZone(fromUnixTimestamp64Milli(e.at), 'Asia/Ho_Chi_Minh') AS `at`,
    e.`who` AS `who`,
    e.`action` AS `action`,
    e.`outcome` AS `outcome`,
    e.`record_a` AS `record_a`,
    e.`record_b` AS `record_b`,
    e.`verdict` AS `verdict`,
    e.`reason` AS `reason`,
    e.`personal` AS `personal`,
    e.`remote` AS `remote`,
    e.`_partition` AS `_partition`,
    e.`_offset` AS `_offset`
FROM bronze.identity_audit AS e
COMMENT 'Ai đã xem, đã quyết định gì về các cặp bản ghi — Who looked at which pair, and what was decided'