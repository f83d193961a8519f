CREATE TABLE IF NOT EXISTS `silver`.`identity_review`
(
    `record_a` String COMMENT 'Bản ghi thứ nhất: nguồn.bảng:khóa — The first record: source.table:key',
    `record_b` String COMMENT 'Bản ghi thứ hai — The other record',
    `rule` Nullable(String) COMMENT 'Lý do cần xem: weights, forbidden, shared-number, conflict hoặc tên mâu thuẫn — Why it is asked: weights, forbidden, shared-number, conflict or a contradiction\'s name',
    `weight` Nullable(Float64) COMMENT 'Trọng số khớp (bit) — The match weight in bits',
    `rank` Nullable(Float64) COMMENT 'Ảnh hưởng kỳ vọng của quyết định; lớn xem trước — The expected effect of a decision; greater first',
    `figures` Nullable(String) COMMENT 'Các số liệu có thể thay đổi: deaths, insured, welfare — Published figures that it may change',
    `records_a` Nullable(Int64) COMMENT 'Số bản ghi của người thứ nhất — Records of the first one\'s person',
    `records_b` Nullable(Int64) COMMENT 'Số bản ghi của người thứ hai — Records of the other one\'s person',
    `sectors_a` Nullable(String) COMMENT 'Các lĩnh vực của người thứ nhất — Sectors of the first one\'s person',
    `sectors_b` Nullable(String) COMMENT 'Các lĩnh vực của người thứ hai — Sectors of the other one\'s person',
    `register` Nullable(Bool) COMMENT 'Một trong hai có trong sổ dân cư — One of them is in the population register',
    `died` Nullable(Bool) COMMENT 'Một trong hai đã mất mà người kia không ghi — One of them has a death that the other does not know',
    `evidence` Nullable(String) COMMENT 'Mức độ khớp từng so sánh (JSON) — The level of agreement of every comparison (JSON)',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
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
ORDER BY (_source, `record_a`, `record_b`)
COMMENT 'Hiện trạng của — Latest rows of: Các cặp bản ghi chờ người xem xét — Pairs of records that wait for a person';

CREATE TABLE IF NOT EXISTS `bronze`.`identity_review`
(
    `record_a` String COMMENT 'Bản ghi thứ nhất: nguồn.bảng:khóa — The first record: source.table:key',
    `record_b` String COMMENT 'Bản ghi thứ hai — The other record',
    `rule` Nullable(String) COMMENT 'Lý do cần xem: weights, forbidden, shared-number, conflict hoặc tên mâu thuẫn — Why it is asked: weights, forbidden, shared-number, conflict or a contradiction\'s name',
    `weight` Nullable(Float64) COMMENT 'Trọng số khớp (bit) — The match weight in bits',
    `rank` Nullable(Float64) COMMENT 'Ảnh hưởng kỳ vọng của quyết định; lớn xem trước — The expected effect of a decision; greater first',
    `figures` Nullable(String) COMMENT 'Các số liệu có thể thay đổi: deaths, insured, welfare — Published figures that it may change',
    `records_a` Nullable(Int64) COMMENT 'Số bản ghi của người thứ nhất — Records of the first one\'s person',
    `records_b` Nullable(Int64) COMMENT 'Số bản ghi của người thứ hai — Records of the other one\'s person',
    `sectors_a` Nullable(String) COMMENT 'Các lĩnh vực của người thứ nhất — Sectors of the first one\'s person',
    `sectors_b` Nullable(String) COMMENT 'Các lĩnh vực của người thứ hai — Sectors of the other one\'s person',
    `register` Nullable(Bool) COMMENT 'Một trong hai có trong sổ dân cư — One of them is in the population register',
    `died` Nullable(Bool) COMMENT 'Một trong hai đã mất mà người kia không ghi — One of them has a death that the other does not know',
    `evidence` Nullable(String) COMMENT 'Mức độ khớp từng so sánh (JSON) — The level of agreement of every comparison (JSON)',
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
ORDER BY (_source, `record_a`, `record_b`, _version)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Các cặp bản ghi chờ người xem xét — Pairs of records that wait for a person';

CREATE OR REPLACE VIEW `silver`.`v_identity_review`
(
    `record_a` String COMMENT 'Bản ghi thứ nhất: nguồn.bảng:khóa — The first record: source.table:key',
    `record_b` String COMMENT 'Bản ghi thứ hai — The other record',
    `rule` Nullable(String) COMMENT 'Lý do cần xem: weights, forbidden, shared-number, conflict hoặc tên mâu thuẫn — Why it is asked: weights, forbidden, shared-number, conflict or a contradiction\'s name',
    `weight` Nullable(Float64) COMMENT 'Trọng số khớp (bit) — The match weight in bits',
    `rank` Nullable(Float64) COMMENT 'Ảnh hưởng kỳ vọng của quyết định; lớn xem trước — The expected effect of a decision; greater first',
    `figures` Nullable(String) COMMENT 'Các số liệu có thể thay đổi: deaths, insured, welfare — Published figures that it may change',
    `records_a` Nullable(Int64) COMMENT 'Số bản ghi của người thứ nhất — Records of the first one\'s person',
    `records_b` Nullable(Int64) COMMENT 'Số bản ghi của người thứ hai — Records of the other one\'s person',
    `sectors_a` Nullable(String) COMMENT 'Các lĩnh vực của người thứ nhất — Sectors of the first one\'s person',
    `sectors_b` Nullable(String) COMMENT 'Các lĩnh vực của người thứ hai — Sectors of the other one\'s person',
    `register` Nullable(Bool) COMMENT 'Một trong hai có trong sổ dân cư — One of them is in the population register',
    `died` Nullable(Bool) COMMENT 'Một trong hai đã mất mà người kia không ghi — One of them has a death that the other does not know',
    `evidence` Nullable(String) COMMENT 'Mức độ khớp từng so sánh (JSON) — The level of agreement of every comparison (JSON)',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_commit_time` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_incomplete` Array(String) COMMENT 'Các cột có giá trị chưa biết vì nguồn không gửi — Columns whose value is not known, because the source did not send it',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL'
)
AS SELECT
    t.`record_a` AS `record_a`,
    t.`record_b` AS `record_b`,
    t.`rule` AS `rule`,
    t.`weight` AS `weight`,
    t.`rank` AS `rank`,
    t.`figures` AS `figures`,
    t.`records_a` AS `records_a`,
    t.`records_b` AS `records_b`,
    t.`sectors_a` AS `sectors_a`,
    t.`sectors_b` AS `sectors_b`,
    t.`register` AS `register`,
    t.`died` AS `died`,
    t.`evidence` AS `evidence`,
    t.`model_version` AS `model_version`,
    t._source AS `_source`,
    t._record AS `_record`,
    t._version AS `_version`,
    toTimeZone(t._commit_time, 'Asia/Ho_Chi_Minh') AS `_commit_time`,
    t._incomplete AS `_incomplete`,
    t._arrays AS `_arrays`
FROM `silver`.`identity_review` AS t FINAL
COMMENT 'Các cặp bản ghi chờ người xem xét — Pairs of records that wait for a person';

CREATE OR REPLACE VIEW `silver`.`identity_review_history`
(
    `record_a` String COMMENT 'Bản ghi thứ nhất: nguồn.bảng:khóa — The first record: source.table:key',
    `record_b` String COMMENT 'Bản ghi thứ hai — The other record',
    `rule` Nullable(String) COMMENT 'Lý do cần xem: weights, forbidden, shared-number, conflict hoặc tên mâu thuẫn — Why it is asked: weights, forbidden, shared-number, conflict or a contradiction\'s name',
    `weight` Nullable(Float64) COMMENT 'Trọng số khớp (bit) — The match weight in bits',
    `rank` Nullable(Float64) COMMENT 'Ảnh hưởng kỳ vọng của quyết định; lớn xem trước — The expected effect of a decision; greater first',
    `figures` Nullable(String) COMMENT 'Các số liệu có thể thay đổi: deaths, insured, welfare — Published figures that it may change',
    `records_a` Nullable(Int64) COMMENT 'Số bản ghi của người thứ nhất — Records of the first one\'s person',
    `records_b` Nullable(Int64) COMMENT 'Số bản ghi của người thứ hai — Records of the other one\'s person',
    `sectors_a` Nullable(String) COMMENT 'Các lĩnh vực của người thứ nhất — Sectors of the first one\'s person',
    `sectors_b` Nullable(String) COMMENT 'Các lĩnh vực của người thứ hai — Sectors of the other one\'s person',
    `register` Nullable(Bool) COMMENT 'Một trong hai có trong sổ dân cư — One of them is in the population register',
    `died` Nullable(Bool) COMMENT 'Một trong hai đã mất mà người kia không ghi — One of them has a death that the other does not know',
    `evidence` Nullable(String) COMMENT 'Mức độ khớp từng so sánh (JSON) — The level of agreement of every comparison (JSON)',
    `model_version` Nullable(String) COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
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
    h.`record_a` AS `record_a`,
    h.`record_b` AS `record_b`,
    (argMaxIf(tuple(h.`rule`), h._version, NOT has(h._unchanged, 'rule')) OVER before).1 AS `rule`,
    h.`weight` AS `weight`,
    h.`rank` AS `rank`,
    (argMaxIf(tuple(h.`figures`), h._version, NOT has(h._unchanged, 'figures')) OVER before).1 AS `figures`,
    h.`records_a` AS `records_a`,
    h.`records_b` AS `records_b`,
    (argMaxIf(tuple(h.`sectors_a`), h._version, NOT has(h._unchanged, 'sectors_a')) OVER before).1 AS `sectors_a`,
    (argMaxIf(tuple(h.`sectors_b`), h._version, NOT has(h._unchanged, 'sectors_b')) OVER before).1 AS `sectors_b`,
    h.`register` AS `register`,
    h.`died` AS `died`,
    (argMaxIf(tuple(h.`evidence`), h._version, NOT has(h._unchanged, 'evidence')) OVER before).1 AS `evidence`,
    (argMaxIf(tuple(h.`model_version`), h._version, NOT has(h._unchanged, 'model_version')) OVER before).1 AS `model_version`,
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
        arrayFirst(x -> x.1 > _version AND (empty(x.3) OR x.3[1] = 'record_a' AND (x.3[2] = '' OR e.`record_a` >= substring(x.3[2], 2)) AND (x.3[3] = '' OR e.`record_a` <= substring(x.3[3], 2)) OR x.3[1] = 'record_b' AND (x.3[2] = '' OR e.`record_b` >= substring(x.3[2], 2)) AND (x.3[3] = '' OR e.`record_b` <= substring(x.3[3], 2))), c.cuts) AS cut
    FROM `bronze`.`identity_review` AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM `bronze`.`identity_review`
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
COMMENT 'Lịch sử các phiên bản của — History of: Các cặp bản ghi chờ người xem xét — Pairs of records that wait for a person';

INSERT INTO `silver`.`identity_review` (`record_a`, `record_b`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `record_a`, `record_b`, _record, 't', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`identity_review` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459');

INSERT INTO `silver`.`identity_review` (`record_a`, `record_b`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `record_a`, `record_b`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`identity_review` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2;

INSERT INTO `silver`.`identity_review` (`record_a`, `record_b`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `record_a`, `record_b`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`identity_review` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2 AND `record_b` >= 'it\'s' AND `record_b` <= 'it\'s';

SELECT _topic, _partition, max(_offset) FROM `bronze`.`identity_review` WHERE _topic IN ('his.public.t') GROUP BY _topic, _partition;

INSERT INTO `silver`.`identity_review` (`record_a`, `record_b`, `rule`, `weight`, `rank`, `figures`, `records_a`, `records_b`, `sectors_a`, `sectors_b`, `register`, `died`, `evidence`, `model_version`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);

INSERT INTO `replay`.`identity_review` (`record_a`, `record_b`, `rule`, `weight`, `rank`, `figures`, `records_a`, `records_b`, `sectors_a`, `sectors_b`, `register`, `died`, `evidence`, `model_version`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`)
SELECT
    argMax(`record_a`, _version),
    argMax(`record_b`, _version),
    argMaxIf(tuple(`rule`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'rule')).1,
    argMax(tuple(`weight`), _version).1,
    argMax(tuple(`rank`), _version).1,
    argMaxIf(tuple(`figures`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'figures')).1,
    argMax(tuple(`records_a`), _version).1,
    argMax(tuple(`records_b`), _version).1,
    argMaxIf(tuple(`sectors_a`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'sectors_a')).1,
    argMaxIf(tuple(`sectors_b`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'sectors_b')).1,
    argMax(tuple(`register`), _version).1,
    argMax(tuple(`died`), _version).1,
    argMaxIf(tuple(`evidence`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'evidence')).1,
    argMaxIf(tuple(`model_version`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'model_version')).1,
    _record,
    argMax(_op, _version),
    max(_version),
    argMax(_is_deleted, _version),
    arrayConcat(CAST([], 'Array(String)'), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'rule')) = 0 AND argMax(_is_deleted, _version) = 0, ['rule'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'figures')) = 0 AND argMax(_is_deleted, _version) = 0, ['figures'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'sectors_a')) = 0 AND argMax(_is_deleted, _version) = 0, ['sectors_a'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'sectors_b')) = 0 AND argMax(_is_deleted, _version) = 0, ['sectors_b'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'evidence')) = 0 AND argMax(_is_deleted, _version) = 0, ['evidence'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'model_version')) = 0 AND argMax(_is_deleted, _version) = 0, ['model_version'], [])),
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
    FROM `bronze`.`identity_review`
    WHERE _op NOT IN ('t', 'm') AND (_source, _record) IN (SELECT _source, _record FROM `bronze`.`identity_review` WHERE _op NOT IN ('t', 'm') AND _offset >= 5) AND _offset < 9
)
GROUP BY _source, _record;

INSERT INTO `bronze`.`identity_review` (`record_a`, `record_b`, `rule`, `weight`, `rank`, `figures`, `records_a`, `records_b`, `sectors_a`, `sectors_b`, `register`, `died`, `evidence`, `model_version`, `_record`, `_op`, `_version`, `_is_deleted`, `_unchanged`, `_arrays`, `_range`, `_tx`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);
