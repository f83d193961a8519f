ALTER TABLE `silver`.`s_t` ADD COLUMN IF NOT EXISTS `n__v2` Nullable(Date32) AFTER `tags`;

ALTER TABLE `silver`.`s_t` ADD COLUMN IF NOT EXISTS `tags__v2` Nullable(String) AFTER `n__v2`;

ALTER TABLE `bronze`.`s_t` ADD COLUMN IF NOT EXISTS `n__v2` Nullable(Date32) AFTER `tags`;

ALTER TABLE `bronze`.`s_t` ADD COLUMN IF NOT EXISTS `tags__v2` Nullable(String) AFTER `n__v2`;

ALTER TABLE `silver`.`s_t` ADD COLUMN IF NOT EXISTS `n__v3` Nullable(String) AFTER `tags__v2`;

ALTER TABLE `silver`.`s_t` ADD COLUMN IF NOT EXISTS `n__v2_` Nullable(Bool) AFTER `n__v3`;

ALTER TABLE `silver`.`s_t` ADD COLUMN IF NOT EXISTS `tags__v3` Array(Nullable(Int64)) AFTER `n__v2_`;

ALTER TABLE `bronze`.`s_t` ADD COLUMN IF NOT EXISTS `n__v3` Nullable(String) AFTER `tags__v2`;

ALTER TABLE `bronze`.`s_t` ADD COLUMN IF NOT EXISTS `n__v2_` Nullable(Bool) AFTER `n__v3`;

ALTER TABLE `bronze`.`s_t` ADD COLUMN IF NOT EXISTS `tags__v3` Array(Nullable(Int64)) AFTER `n__v2_`;

CREATE OR REPLACE VIEW `silver`.`v_s_t`
(
    `id` Int64,
    `n` Nullable(String),
    `tags` Array(Nullable(Int64)),
    `n__v2_` Nullable(Bool),
    `n__v1` Nullable(Int32),
    `tags__v1` Array(Nullable(String)),
    `n__v2` Nullable(Date32),
    `tags__v2` Nullable(String),
    `n__v3` Nullable(String),
    `tags__v3` Array(Nullable(Int64)),
    `_source` LowCardinality(String) COMMENT 'Nguồn: cơ sở dữ liệu gốc — Source: the database of origin',
    `_record` String COMMENT 'Tên bản ghi: nguồn.bảng:khóa — Name of the record: source.table:key',
    `_version` UInt128 COMMENT 'Thứ tự của sự kiện tại nguồn: kỷ nguyên, LSN, số thứ tự — Order of the event at its source: epoch, LSN, ordinal',
    `_commit_time` DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Thời điểm giao dịch hoàn tất tại nguồn — Commit time at the source',
    `_incomplete` Array(String) COMMENT 'Các cột có giá trị chưa biết vì nguồn không gửi — Columns whose value is not known, because the source did not send it',
    `_arrays` Array(String) COMMENT 'Các cột mảng khác NULL; mảng không có tên ở đây là NULL — Array columns that are not NULL; an array that is not named here is NULL'
)
AS SELECT
    t.`id` AS `id`,
    coalesce(t.`n__v3`, toString(t.`n__v2`), toString(t.`n`)) AS `n`,
    if(notEmpty(t.`tags__v3`), t.`tags__v3`, arrayMap(x -> accurateCastOrNull(toString(x), 'Int64'), t.`tags`)) AS `tags`,
    t.`n__v2_` AS `n__v2_`,
    t.`n` AS `n__v1`,
    t.`tags` AS `tags__v1`,
    t.`n__v2` AS `n__v2`,
    t.`tags__v2` AS `tags__v2`,
    t.`n__v3` AS `n__v3`,
    t.`tags__v3` AS `tags__v3`,
    t._source AS `_source`,
    t._record AS `_record`,
    t._version AS `_version`,
    toTimeZone(t._commit_time, 'Asia/Ho_Chi_Minh') AS `_commit_time`,
    t._incomplete AS `_incomplete`,
    t._arrays AS `_arrays`
FROM `silver`.`s_t` AS t FINAL
COMMENT 's_t';

CREATE OR REPLACE VIEW `silver`.`s_t_history`
(
    `id` Int64,
    `n` Nullable(String),
    `tags` Array(Nullable(Int64)),
    `n__v2_` Nullable(Bool),
    `n__v1` Nullable(Int32),
    `tags__v1` Array(Nullable(String)),
    `n__v2` Nullable(Date32),
    `tags__v2` Nullable(String),
    `n__v3` Nullable(String),
    `tags__v3` Array(Nullable(Int64)),
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
    h.`id` AS `id`,
    coalesce((argMaxIf(tuple(h.`n__v3`), h._version, NOT has(h._unchanged, 'n__v3')) OVER before).1, toString(h.`n__v2`), toString(h.`n`)) AS `n`,
    if(notEmpty((argMaxIf(tuple(h.`tags__v3`), h._version, NOT has(h._unchanged, 'tags__v3')) OVER before).1), (argMaxIf(tuple(h.`tags__v3`), h._version, NOT has(h._unchanged, 'tags__v3')) OVER before).1, arrayMap(x -> accurateCastOrNull(toString(x), 'Int64'), (argMaxIf(tuple(h.`tags`), h._version, NOT has(h._unchanged, 'tags')) OVER before).1)) AS `tags`,
    h.`n__v2_` AS `n__v2_`,
    h.`n` AS `n__v1`,
    (argMaxIf(tuple(h.`tags`), h._version, NOT has(h._unchanged, 'tags')) OVER before).1 AS `tags__v1`,
    h.`n__v2` AS `n__v2`,
    (argMaxIf(tuple(h.`tags__v2`), h._version, NOT has(h._unchanged, 'tags__v2')) OVER before).1 AS `tags__v2`,
    (argMaxIf(tuple(h.`n__v3`), h._version, NOT has(h._unchanged, 'n__v3')) OVER before).1 AS `n__v3`,
    (argMaxIf(tuple(h.`tags__v3`), h._version, NOT has(h._unchanged, 'tags__v3')) OVER before).1 AS `tags__v3`,
    toTimeZone(h._commit_time, 'Asia/Ho_Chi_Minh') AS `_valid_from`,
    toTimeZone(multiIf(h.next_commit IS NULL AND h.cut.1 = 0, NULL, h.next_commit IS NULL, h.cut.2, h.cut.1 = 0, h.next_commit, least(assumeNotNull(h.next_commit), h.cut.2)), 'Asia/Ho_Chi_Minh') AS `_valid_to`,
    h._is_deleted = 1 AS `_deleted`,
    h._op AS `_op`,
    h._source AS `_source`,
    h._record AS `_record`,
    h._version AS `_version`,
    arrayConcat(CAST([], 'Array(String)'), if((argMaxIf(tuple(has(h._arrays, 'tags')), h._version, NOT has(h._unchanged, 'tags')) OVER before).1, ['tags'], []), if((argMaxIf(tuple(has(h._arrays, 'tags__v3')), h._version, NOT has(h._unchanged, 'tags__v3')) OVER before).1, ['tags__v3'], [])) AS `_arrays`,
    h._topic AS `_topic`,
    h._partition AS `_partition`,
    h._offset AS `_offset`
FROM
(
    SELECT
        e.*,
        min(toNullable(_commit_time)) OVER (PARTITION BY _source, _record ORDER BY _version DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next_commit,
        arrayFirst(x -> x.1 > _version AND (empty(x.3) OR x.3[1] = 'id' AND (x.3[2] = '' OR e.`id` >= toInt64OrZero(substring(x.3[2], 2))) AND (x.3[3] = '' OR e.`id` <= toInt64OrZero(substring(x.3[3], 2)))), c.cuts) AS cut
    FROM `bronze`.`s_t` AS e
    LEFT ANY JOIN
    (
        SELECT _source, arraySort(groupUniqArray((_version, _commit_time, _range))) AS cuts
        FROM `bronze`.`s_t`
        WHERE _op IN ('t', 'm')
        GROUP BY _source
    ) AS c ON c._source = e._source
    WHERE e._op NOT IN ('t', 'm')
) AS h
WINDOW before AS (PARTITION BY h._source, h._record ORDER BY h._version ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
COMMENT 'Lịch sử các phiên bản của — History of: s_t';
