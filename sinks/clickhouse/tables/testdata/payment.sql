CREATE TABLE IF NOT EXISTS `silver`.`welfare_payment`
(
    `beneficiary_id` Int64 COMMENT 'Mã đối tượng thụ hưởng — Number of the beneficiary',
    `period` Date32 COMMENT 'Tháng chi trả, ghi bằng ngày đầu tháng — Month of the payment, as its first day',
    `amount` Nullable(Decimal(12, 0)) COMMENT 'Số tiền đã chi (đồng) — Amount paid in dong',
    `paid_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Thời điểm chi trả — Time of payment',
    `channel` LowCardinality(Nullable(String)) COMMENT 'Hình thức: bank là tài khoản ngân hàng, post là bưu điện, cash là tiền mặt — Channel: bank account, post office or cash',
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
ORDER BY (_source, `beneficiary_id`, `period`)
COMMENT 'Hiện trạng của — Latest rows of: Chi trả trợ cấp hằng tháng — Monthly payments';

CREATE TABLE IF NOT EXISTS `bronze`.`welfare_payment`
(
    `beneficiary_id` Int64 COMMENT 'Mã đối tượng thụ hưởng — Number of the beneficiary',
    `period` Date32 COMMENT 'Tháng chi trả, ghi bằng ngày đầu tháng — Month of the payment, as its first day',
    `amount` Nullable(Decimal(12, 0)) COMMENT 'Số tiền đã chi (đồng) — Amount paid in dong',
    `paid_at` Nullable(DateTime64(6, 'UTC')) COMMENT 'Thời điểm chi trả — Time of payment',
    `channel` LowCardinality(Nullable(String)) COMMENT 'Hình thức: bank là tài khoản ngân hàng, post là bưu điện, cash là tiền mặt — Channel: bank account, post office or cash',
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
ORDER BY (_source, `beneficiary_id`, `period`, _version)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Chi trả trợ cấp hằng tháng — Monthly payments';

CREATE OR REPLACE VIEW `silver`.`v_welfare_payment`
(
    `beneficiary_id` Int64 COMMENT 'Mã đối tượng thụ hưởng — Number of the beneficiary',
    `period` Date32 COMMENT 'Tháng chi trả, ghi bằng ngày đầu tháng — Month of the payment, as its first day',
    `amount` Nullable(Decimal(12, 0)) COMMENT 'Số tiền đã chi (đồng) — Amount paid in dong',
    `paid_at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm chi trả — Time of payment',
    `channel` LowCardinality(Nullable(String)) COMMENT 'Hình thức: bank là tài khoản ngân hàng, post là bưu điện, cash là tiền mặt — Channel: bank account, post office or cash',
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
    t.`beneficiary_id` AS `beneficiary_id`,
    t.`period` AS `period`,
    t.`amount` AS `amount`,
    toTimeZone(t.`paid_at`, 'Asia/Ho_Chi_Minh') AS `paid_at`,
    t.`channel` AS `channel`,
    nullIf(l.person_id, '') AS `person_id`,
    l.citizen AS `citizen`,
    t._source AS `_source`,
    t._record AS `_record`,
    t._version AS `_version`,
    toTimeZone(t._commit_time, 'Asia/Ho_Chi_Minh') AS `_commit_time`,
    t._incomplete AS `_incomplete`,
    t._arrays AS `_arrays`
FROM `silver`.`welfare_payment` AS t FINAL
LEFT ANY JOIN (SELECT record, coalesce(person_id, '') AS person_id, citizen FROM `silver`.`identity_link` FINAL) AS l ON l.record = concat(t._source, '.beneficiary:', toString(t.`beneficiary_id`))
COMMENT 'Chi trả trợ cấp hằng tháng — Monthly payments';

CREATE OR REPLACE VIEW `silver`.`welfare_payment_history`
(
    `beneficiary_id` Int64 COMMENT 'Mã đối tượng thụ hưởng — Number of the beneficiary',
    `period` Date32 COMMENT 'Tháng chi trả, ghi bằng ngày đầu tháng — Month of the payment, as its first day',
    `amount` Nullable(Decimal(12, 0)) COMMENT 'Số tiền đã chi (đồng) — Amount paid in dong',
    `paid_at` Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm chi trả — Time of payment',
    `channel` LowCardinality(Nullable(String)) COMMENT 'Hình thức: bank là tài khoản ngân hàng, post là bưu điện, cash là tiền mặt — Channel: bank account, post office or cash',
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
    h.`beneficiary_id` AS `beneficiary_id`,
    h.`period` AS `period`,
    (argMaxIf(tuple(h.`amount`), h._version, NOT has(h._unchanged, 'amount')) OVER before).1 AS `amount`,
    toTimeZone(h.`paid_at`, 'Asia/Ho_Chi_Minh') AS `paid_at`,
    h.`channel` AS `channel`,
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
        arrayFirst(x -> x.1 > _version AND (empty(x.3) OR x.3[1] = 'beneficiary_id' AND (x.3[2] = '' OR e.`beneficiary_id` >= toInt64OrZero(substring(x.3[2], 2))) AND (x.3[3] = '' OR e.`beneficiary_id` <= toInt64OrZero(substring(x.3[3], 2))) OR x.3[1] = 'period' AND (x.3[2] = '' OR toString(e.`period`) >= substring(x.3[2], 2)) AND (x.3[3] = '' OR toString(e.`period`) <= substring(x.3[3], 2))), c.cuts) AS cut
    FROM `bronze`.`welfare_payment` AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM `bronze`.`welfare_payment`
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
COMMENT 'Lịch sử các phiên bản của — History of: Chi trả trợ cấp hằng tháng — Monthly payments';

INSERT INTO `silver`.`welfare_payment` (`beneficiary_id`, `period`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `beneficiary_id`, `period`, _record, 't', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`welfare_payment` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459');

INSERT INTO `silver`.`welfare_payment` (`beneficiary_id`, `period`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `beneficiary_id`, `period`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`welfare_payment` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2;

INSERT INTO `silver`.`welfare_payment` (`beneficiary_id`, `period`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `beneficiary_id`, `period`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`welfare_payment` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2 AND toString(`period`) >= '2026-01-31' AND toString(`period`) <= '2026-01-31';

SELECT _topic, _partition, max(_offset) FROM `bronze`.`welfare_payment` WHERE _topic IN ('his.public.t') GROUP BY _topic, _partition;

INSERT INTO `silver`.`welfare_payment` (`beneficiary_id`, `period`, `amount`, `paid_at`, `channel`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);

INSERT INTO `replay`.`welfare_payment` (`beneficiary_id`, `period`, `amount`, `paid_at`, `channel`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`)
SELECT
    argMax(`beneficiary_id`, _version),
    argMax(`period`, _version),
    argMaxIf(tuple(`amount`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'amount')).1,
    argMax(tuple(`paid_at`), _version).1,
    argMax(tuple(`channel`), _version).1,
    _record,
    argMax(_op, _version),
    max(_version),
    argMax(_is_deleted, _version),
    arrayConcat(CAST([], 'Array(String)'), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'amount')) = 0 AND argMax(_is_deleted, _version) = 0, ['amount'], [])),
    CAST([], 'Array(String)'),
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
    FROM `bronze`.`welfare_payment`
    WHERE _op NOT IN ('t', 'm') AND (_source, _record) IN (SELECT _source, _record FROM `bronze`.`welfare_payment` WHERE _op NOT IN ('t', 'm') AND _offset >= 5) AND _offset < 9
)
GROUP BY _source, _record;

INSERT INTO `bronze`.`welfare_payment` (`beneficiary_id`, `period`, `amount`, `paid_at`, `channel`, `_record`, `_op`, `_version`, `_is_deleted`, `_unchanged`, `_arrays`, `_range`, `_tx`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);
