CREATE TABLE IF NOT EXISTS `silver`.`identity_link`
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
ORDER BY (_source, `record`)
COMMENT 'Hiện trạng của — Latest rows of: Liên kết mỗi bản ghi với một người — To which person each record belongs';

CREATE TABLE IF NOT EXISTS `bronze`.`identity_link`
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
ORDER BY (_source, `record`, _version)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Sự kiện của — Events of: Liên kết mỗi bản ghi với một người — To which person each record belongs';

CREATE OR REPLACE VIEW `silver`.`v_identity_link`
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
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_commit_time` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_incomplete` Array(String) COMMENT 'Các cột có giá trị chưa biết vì nguồn không gửi — Columns whose value is not known, because the source did not send it',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL'
)
AS SELECT
    t.`record` AS `record`,
    t.`source` AS `source`,
    t.`sector` AS `sector`,
    t.`table` AS `table`,
    t.`person_id` AS `person_id`,
    t.`citizen` AS `citizen`,
    t.`decision` AS `decision`,
    t.`rule` AS `rule`,
    t.`reasons` AS `reasons`,
    t.`model_version` AS `model_version`,
    t.`weight` AS `weight`,
    t._source AS `_source`,
    t._record AS `_record`,
    t._version AS `_version`,
    toTimeZone(t._commit_time, 'Asia/Ho_Chi_Minh') AS `_commit_time`,
    t._incomplete AS `_incomplete`,
    t._arrays AS `_arrays`
FROM `silver`.`identity_link` AS t FINAL
COMMENT 'Liên kết mỗi bản ghi với một người — To which person each record belongs';

CREATE OR REPLACE VIEW `silver`.`identity_link_history`
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
    h.`record` AS `record`,
    (argMaxIf(tuple(h.`source`), h._version, NOT has(h._unchanged, 'source')) OVER before).1 AS `source`,
    (argMaxIf(tuple(h.`sector`), h._version, NOT has(h._unchanged, 'sector')) OVER before).1 AS `sector`,
    (argMaxIf(tuple(h.`table`), h._version, NOT has(h._unchanged, 'table')) OVER before).1 AS `table`,
    (argMaxIf(tuple(h.`person_id`), h._version, NOT has(h._unchanged, 'person_id')) OVER before).1 AS `person_id`,
    (argMaxIf(tuple(h.`citizen`), h._version, NOT has(h._unchanged, 'citizen')) OVER before).1 AS `citizen`,
    (argMaxIf(tuple(h.`decision`), h._version, NOT has(h._unchanged, 'decision')) OVER before).1 AS `decision`,
    (argMaxIf(tuple(h.`rule`), h._version, NOT has(h._unchanged, 'rule')) OVER before).1 AS `rule`,
    (argMaxIf(tuple(h.`reasons`), h._version, NOT has(h._unchanged, 'reasons')) OVER before).1 AS `reasons`,
    (argMaxIf(tuple(h.`model_version`), h._version, NOT has(h._unchanged, 'model_version')) OVER before).1 AS `model_version`,
    h.`weight` AS `weight`,
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
        arrayFirst(x -> x.1 > _version AND (empty(x.3) OR x.3[1] = 'record' AND (x.3[2] = '' OR e.`record` >= substring(x.3[2], 2)) AND (x.3[3] = '' OR e.`record` <= substring(x.3[3], 2))), c.cuts) AS cut
    FROM `bronze`.`identity_link` AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM `bronze`.`identity_link`
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
COMMENT 'Lịch sử các phiên bản của — History of: Liên kết mỗi bản ghi với một người — To which person each record belongs';

INSERT INTO `silver`.`identity_link` (`record`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `record`, _record, 't', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`identity_link` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459');

INSERT INTO `silver`.`identity_link` (`record`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `record`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`identity_link` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2;

INSERT INTO `silver`.`identity_link` (`record`, _record, _op, _version, _is_deleted, _lsn, _commit_time, _source, _topic, _partition, _offset)
SELECT `record`, _record, 'm', toUInt128('79228162933023905448990867459'), 1, toUInt64(97500059720), fromUnixTimestamp64Micro(toInt64(1700000000000001), 'UTC'), _source, 'his.public.t', 2, 9
FROM `silver`.`identity_link` FINAL
WHERE _source = 'his' AND _version < toUInt128('79228162933023905448990867459') AND _partition = 2 AND `record` >= 'it\'s' AND `record` <= 'it\'s';

SELECT _topic, _partition, max(_offset) FROM `bronze`.`identity_link` WHERE _topic IN ('his.public.t') GROUP BY _topic, _partition;

INSERT INTO `silver`.`identity_link` (`record`, `source`, `sector`, `table`, `person_id`, `citizen`, `decision`, `rule`, `reasons`, `model_version`, `weight`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);

INSERT INTO `replay`.`identity_link` (`record`, `source`, `sector`, `table`, `person_id`, `citizen`, `decision`, `rule`, `reasons`, `model_version`, `weight`, `_record`, `_op`, `_version`, `_is_deleted`, `_incomplete`, `_arrays`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`)
SELECT
    argMax(`record`, _version),
    argMaxIf(tuple(`source`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'source')).1,
    argMaxIf(tuple(`sector`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'sector')).1,
    argMaxIf(tuple(`table`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'table')).1,
    argMaxIf(tuple(`person_id`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'person_id')).1,
    argMaxIf(tuple(`citizen`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'citizen')).1,
    argMaxIf(tuple(`decision`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'decision')).1,
    argMaxIf(tuple(`rule`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'rule')).1,
    argMaxIf(tuple(`reasons`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'reasons')).1,
    argMaxIf(tuple(`model_version`), _version, _version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'model_version')).1,
    argMax(tuple(`weight`), _version).1,
    _record,
    argMax(_op, _version),
    max(_version),
    argMax(_is_deleted, _version),
    arrayConcat(CAST([], 'Array(String)'), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'source')) = 0 AND argMax(_is_deleted, _version) = 0, ['source'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'sector')) = 0 AND argMax(_is_deleted, _version) = 0, ['sector'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'table')) = 0 AND argMax(_is_deleted, _version) = 0, ['table'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'person_id')) = 0 AND argMax(_is_deleted, _version) = 0, ['person_id'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'citizen')) = 0 AND argMax(_is_deleted, _version) = 0, ['citizen'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'decision')) = 0 AND argMax(_is_deleted, _version) = 0, ['decision'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'rule')) = 0 AND argMax(_is_deleted, _version) = 0, ['rule'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'reasons')) = 0 AND argMax(_is_deleted, _version) = 0, ['reasons'], []), if(countIf(_version >= began AND (_is_deleted = 0 OR _version = latest) AND NOT has(_unchanged, 'model_version')) = 0 AND argMax(_is_deleted, _version) = 0, ['model_version'], [])),
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
    FROM `bronze`.`identity_link`
    WHERE _op NOT IN ('t', 'm') AND (_source, _record) IN (SELECT _source, _record FROM `bronze`.`identity_link` WHERE _op NOT IN ('t', 'm') AND _offset >= 5) AND _offset < 9
)
GROUP BY _source, _record;

INSERT INTO `bronze`.`identity_link` (`record`, `source`, `sector`, `table`, `person_id`, `citizen`, `decision`, `rule`, `reasons`, `model_version`, `weight`, `_record`, `_op`, `_version`, `_is_deleted`, `_unchanged`, `_arrays`, `_range`, `_tx`, `_lsn`, `_commit_time`, `_source`, `_topic`, `_partition`, `_offset`);
