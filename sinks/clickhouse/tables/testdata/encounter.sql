CREATE TABLE IF NOT EXISTS `silver`.`health_encounter`
(
    `encounter_id` UUID COMMENT 'Mã lượt khám bệnh, chữa bệnh — Identifier of the visit or stay',
    `patient_id` Nullable(Int64) COMMENT 'Mã người bệnh — Number of the patient',
    `facility_id` Nullable(Int32) COMMENT 'Cơ sở tiếp nhận — The receiving facility',
    `kind` LowCardinality(Nullable(String)) COMMENT 'Hình thức: outpatient là ngoại trú, inpatient là nội trú, emergency là cấp cứu — Kind: outpatient, inpatient or emergency',
    `admitted_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Thời điểm vào khám hoặc nhập viện — Time of arrival or admission',
    `discharged_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Thời điểm ra viện; trống khi còn đang điều trị — Time of discharge; empty while the stay goes on',
    `icd10` Nullable(String) COMMENT 'Mã bệnh chính theo ICD-10 — Main diagnosis as an ICD-10 code',
    `secondary_icd10` Array(Nullable(String)) COMMENT 'Các mã bệnh kèm theo — Codes of further diagnoses',
    `diagnosis` Nullable(String) COMMENT 'Chẩn đoán bằng lời — Diagnosis in words',
    `cost` Nullable(Decimal(14, 2)) COMMENT 'Tổng chi phí (đồng) — Total cost in dong',
    `insured_paid` Nullable(Decimal(14, 2)) COMMENT 'Phần quỹ bảo hiểm y tế chi trả (đồng) — Part paid by health insurance in dong',
    `notes` Nullable(String) COMMENT 'Ghi chép chuyên môn và kết quả cận lâm sàng — Clinical notes and results',
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
ENGINE = ReplacingMergeTree(_version, _is_deleted)
ORDER BY (_source, `encounter_id`)
COMMENT 'Hiện trạng của — Latest rows of: Lượt khám bệnh, chữa bệnh — Visits and hospital stays';

CREATE TABLE IF NOT EXISTS `bronze`.`health_encounter`
(
    `encounter_id` UUID COMMENT 'Mã lượt khám bệnh, chữa bệnh — Identifier of the visit or stay',
    `patient_id` Nullable(Int64) COMMENT 'Mã người bệnh — Number of the patient',
    `facility_id` Nullable(Int32) COMMENT 'Cơ sở tiếp nhận — The receiving facility',
    `kind` LowCardinality(Nullable(String)) COMMENT 'Hình thức: outpatient là ngoại trú, inpatient là nội trú, emergency là cấp cứu — Kind: outpatient, inpatient or emergency',
    `admitted_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Thời điểm vào khám hoặc nhập viện — Time of arrival or admission',
    `discharged_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Thời điểm ra viện; trống khi còn đang điều trị — Time of discharge; empty while the stay goes on',
    `icd10` Nullable(String) COMMENT 'Mã bệnh chính theo ICD-10 — Main diagnosis as an ICD-10 code',
    `secondary_icd10` Array(Nullable(String)) COMMENT 'Các mã bệnh kèm theo — Codes of further diagnoses',
    `diagnosis` Nullable(String) COMMENT 'Chẩn đoán bằng lời — Diagnosis in words',
    `cost` Nullable(Decimal(14, 2)) COMMENT 'Tổng chi phí (đồng) — Total cost in dong',
    `insured_paid` Nullable(Decimal(14, 2)) COMMENT 'Phần quỹ bảo hiểm y tế chi trả (đồng) — Part paid by health insurance in dong',
    `notes` Nullable(String) COMMENT 'Ghi chép chuyên môn và kết quả cận lâm sàng — Clinical notes and results',
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
ORDER BY (_source, `encounter_id`, _version)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Lượt khám bệnh, chữa bệnh — Visits and hospital stays';

CREATE OR REPLACE VIEW `silver`.`v_health_encounter`
(
    `encounter_id` UUID COMMENT 'Mã lượt khám bệnh, chữa bệnh — Identifier of the visit or stay',
    `patient_id` Nullable(Int64) COMMENT 'Mã người bệnh — Number of the patient',
    `facility_id` Nullable(Int32) COMMENT 'Cơ sở tiếp nhận — The receiving facility',
    `kind` LowCardinality(Nullable(String)) COMMENT 'Hình thức: outpatient là ngoại trú, inpatient là nội trú, emergency là cấp cứu — Kind: outpatient, inpatient or emergency',
    `admitted_at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm vào khám hoặc nhập viện — Time of arrival or admission',
    `discharged_at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm ra viện; trống khi còn đang điều trị — Time of discharge; empty while the stay goes on',
    `icd10` Nullable(String) COMMENT 'Mã bệnh chính theo ICD-10 — Main diagnosis as an ICD-10 code',
    `secondary_icd10` Array(Nullable(String)) COMMENT 'Các mã bệnh kèm theo — Codes of further diagnoses',
    `diagnosis` Nullable(String) COMMENT 'Chẩn đoán bằng lời — Diagnosis in words',
    `cost` Nullable(Decimal(14, 2)) COMMENT 'Tổng chi phí (đồng) — Total cost in dong',
    `insured_paid` Nullable(Decimal(14, 2)) COMMENT 'Phần quỹ bảo hiểm y tế chi trả (đồng) — Part paid by health insurance in dong',
    `notes` Nullable(String) COMMENT 'Ghi chép chuyên môn và kết quả cận lâm sàng — Clinical notes and results',
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
    t.`encounter_id` AS `encounter_id`,
    t.`patient_id` AS `patient_id`,
    t.`facility_id` AS `facility_id`,
    t.`kind` AS `kind`,
    toTimeZone(t.`admitted_at`, 'Asia/Ho_Chi_Minh') AS `admitted_at`,
    toTimeZone(t.`discharged_at`, 'Asia/Ho_Chi_Minh') AS `discharged_at`,
    t.`icd10` AS `icd10`,
    t.`secondary_icd10` AS `secondary_icd10`,
    t.`diagnosis` AS `diagnosis`,
    t.`cost` AS `cost`,
    t.`insured_paid` AS `insured_paid`,
    t.`notes` AS `notes`,
    nullIf(l.person_id, '') AS `person_id`,
    l.citizen AS `citizen`,
    t._source AS `_source`,
    t._record AS `_record`,
    t._version AS `_version`,
    toTimeZone(t._commit_time, 'Asia/Ho_Chi_Minh') AS `_commit_time`,
    t._incomplete AS `_incomplete`,
    t._arrays AS `_arrays`
FROM `silver`.`health_encounter` AS t FINAL
LEFT ANY JOIN (SELECT record, coalesce(person_id, '') AS person_id, citizen FROM `silver`.`identity_link` FINAL) AS l ON l.record = concat(t._source, '.patient:', toString(t.`patient_id`))
COMMENT 'Lượt khám bệnh, chữa bệnh — Visits and hospital stays';

CREATE OR REPLACE VIEW `silver`.`health_encounter_history`
(
    `encounter_id` UUID COMMENT 'Mã lượt khám bệnh, chữa bệnh — Identifier of the visit or stay',
    `patient_id` Nullable(Int64) COMMENT 'Mã người bệnh — Number of the patient',
    `facility_id` Nullable(Int32) COMMENT 'Cơ sở tiếp nhận — The receiving facility',
    `kind` LowCardinality(Nullable(String)) COMMENT 'Hình thức: outpatient là ngoại trú, inpatient là nội trú, emergency là cấp cứu — Kind: outpatient, inpatient or emergency',
    `admitted_at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm vào khám hoặc nhập viện — Time of arrival or admission',
    `discharged_at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm ra viện; trống khi còn đang điều trị — Time of discharge; empty while the stay goes on',
    `icd10` Nullable(String) COMMENT 'Mã bệnh chính theo ICD-10 — Main diagnosis as an ICD-10 code',
    `secondary_icd10` Array(Nullable(String)) COMMENT 'Các mã bệnh kèm theo — Codes of further diagnoses',
    `diagnosis` Nullable(String) COMMENT 'Chẩn đoán bằng lời — Diagnosis in words',
    `cost` Nullable(Decimal(14, 2)) COMMENT 'Tổng chi phí (đồng) — Total cost in dong',
    `insured_paid` Nullable(Decimal(14, 2)) COMMENT 'Phần quỹ bảo hiểm y tế chi trả (đồng) — Part paid by health insurance in dong',
    `notes` Nullable(String) COMMENT 'Ghi chép chuyên môn và kết quả cận lâm sàng — Clinical notes and results',
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
    h.`encounter_id` AS `encounter_id`,
    h.`patient_id` AS `patient_id`,
    h.`facility_id` AS `facility_id`,
    h.`kind` AS `kind`,
    toTimeZone(h.`admitted_at`, 'Asia/Ho_Chi_Minh') AS `admitted_at`,
    toTimeZone(h.`discharged_at`, 'Asia/Ho_Chi_Minh') AS `discharged_at`,
    (argMaxIf(tuple(h.`icd10`), h._version, NOT has(h._unchanged, 'icd10')) OVER before).1 AS `icd10`,
    (argMaxIf(tuple(h.`secondary_icd10`), h._version, NOT has(h._unchanged, 'secondary_icd10')) OVER before).1 AS `secondary_icd10`,
    (argMaxIf(tuple(h.`diagnosis`), h._version, NOT has(h._unchanged, 'diagnosis')) OVER before).1 AS `diagnosis`,
    (argMaxIf(tuple(h.`cost`), h._version, NOT has(h._unchanged, 'cost')) OVER before).1 AS `cost`,
    (argMaxIf(tuple(h.`insured_paid`), h._version, NOT has(h._unchanged, 'insured_paid')) OVER before).1 AS `insured_paid`,
    (argMaxIf(tuple(h.`notes`), h._version, NOT has(h._unchanged, 'notes')) OVER before).1 AS `notes`,
    toTimeZone(h._commit_time, 'Asia/Ho_Chi_Minh') AS `_valid_from`,
    toTimeZone(multiIf(h.next_commit IS NULL AND h.cut.1 = 0, NULL, h.next_commit IS NULL, h.cut.2, h.cut.1 = 0, h.next_commit, least(assumeNotNull(h.next_commit), h.cut.2)), 'Asia/Ho_Chi_Minh') AS `_valid_to`,
    h._is_deleted = 1 AS `_deleted`,
    h._op AS `_op`,
    h._source AS `_source`,
    h._record AS `_record`,
    h._version AS `_version`,
    arrayConcat(CAST([], 'Array(String)'), if((argMaxIf(tuple(has(h._arrays, 'secondary_icd10')), h._version, NOT has(h._unchanged, 'secondary_icd10')) OVER before).1, ['secondary_icd10'], [])) AS `_arrays`,
    h._topic AS `_topic`,
    h._partition AS `_partition`,
    h._offset AS `_offset`
FROM
(
    SELECT
        e.*,
        min(toNullable(_commit_time)) OVER (PARTITION BY _source, _record ORDER BY _version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_commit,
        arrayFirst(x -> x.1 > _version AND (empty(x.3)), c.cuts) AS cut
    FROM `bronze`.`health_encounter` AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM `bronze`.`health_encounter`
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
COMMENT 'Lịch sử các phiên bản của — History of: Lượt khám bệnh, chữa bệnh — Visits and hospital stays';

INSERT INTO `silver`.`health_encounter` (`encounter_id`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `encounter_id`, _record, 't', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`health_encounter` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459');

INSERT INTO `silver`.`health_encounter` (`encounter_id`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `encounter_id`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`health_encounter` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2;

INSERT INTO `silver`.`health_encounter` (`encounter_id`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `encounter_id`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`health_encounter` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2;

SELECT _topic, _partition, max(_offset) FROM `bronze`.`health_encounter` WHERE _topic IN ('his.public.t') GROUP BY _topic, _partition;

INSERT INTO `silver`.`health_encounter` (`encounter_id`, `patient_id`, `facility_id`, `kind`, `admitted_at`, `discharged_at`, `icd10`, `secondary_icd10`, `diagnosis`, `cost`, `insured_paid`, `notes`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);

INSERT INTO `replay`.`health_encounter` (`encounter_id`, `patient_id`, `facility_id`, `kind`, `admitted_at`, `discharged_at`, `icd10`, `secondary_icd10`, `diagnosis`, `cost`, `insured_paid`, `notes`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`)
SELECT
    argMax(`encounter_id`, _version),
    argMax(tuple(`patient_id`), _version).1,
    argMax(tuple(`facility_id`), _version).1,
    argMax(tuple(`kind`), _version).1,
    argMax(tuple(`admitted_at`), _version).1,
    argMax(tuple(`discharged_at`), _version).1,
    argMaxIf(tuple(`icd10`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'icd10')).1,
    argMaxIf(tuple(`secondary_icd10`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'secondary_icd10')).1,
    argMaxIf(tuple(`diagnosis`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'diagnosis')).1,
    argMaxIf(tuple(`cost`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'cost')).1,
    argMaxIf(tuple(`insured_paid`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'insured_paid')).1,
    argMaxIf(tuple(`notes`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'notes')).1,
    _record,
    argMax(_op, _version),
    max(_version),
    argMax(_is_deleted, _version),
    arrayConcat(CAST([], 'Array(String)'), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'icd10')) = 0 AND argMax(_is_deleted, _version) = 0, ['icd10'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'secondary_icd10')) = 0 AND argMax(_is_deleted, _version) = 0, ['secondary_icd10'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'diagnosis')) = 0 AND argMax(_is_deleted, _version) = 0, ['diagnosis'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'cost')) = 0 AND argMax(_is_deleted, _version) = 0, ['cost'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'insured_paid')) = 0 AND argMax(_is_deleted, _version) = 0, ['insured_paid'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'notes')) = 0 AND argMax(_is_deleted, _version) = 0, ['notes'], [])),
    arrayConcat(CAST([], 'Array(String)'), if(argMaxIf(has(_arrays, 'secondary_icd10'), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'secondary_icd10')), ['secondary_icd10'], [])),
    argMax(_lsn, _version),
    argMax(_commit_time, _version),
    _source,
    argMax(_topic, _version),
    argMax(_partition, _version),
    argMax(_offset, _version)
FROM
(
    SELECT *,
        max(if(_op = 'u', toUInt128(0), _version)) OVER (PARTITION BY _source, _record) AS began,
        max(_version) OVER (PARTITION BY _source, _record) AS latest
    FROM `bronze`.`health_encounter`
    WHERE _op NOT IN ('t', 'm') AND (_source, _record) IN (SELECT _source, _record FROM `bronze`.`health_encounter` WHERE _op NOT IN ('t', 'm') AND _offset >= 5) AND _offset < 9
)
GROUP BY _source, _record;

INSERT INTO `bronze`.`health_encounter` (`encounter_id`, `patient_id`, `facility_id`, `kind`, `admitted_at`, `discharged_at`, `icd10`, `secondary_icd10`, `diagnosis`, `cost`, `insured_paid`, `notes`, `_record`, `_op`, `_version`, `_is_deleted`, `_unchanged`, `_arrays`, `_range`, `_tx`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);
