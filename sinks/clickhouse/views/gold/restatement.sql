CREATE OR REPLACE VIEW gold.restatement
(
    restated_at DateTime64(6, 'Asia/Ho_Chi_Minh') COMMENT 'Thời điểm tính lại — When it was counted again',
    figure String COMMENT 'Kho chủ đề — Mart',
    column String COMMENT 'Cột số liệu — Column of the figure',
    dimensions Map(String, String) COMMENT 'Dòng của kho chủ đề — Which row of the mart',
    old_value Nullable(Float64) COMMENT 'Giá trị với liên kết cũ; trống khi chưa có dòng này — Value with the links before; empty when there was no such row',
    new_value Nullable(Float64) COMMENT 'Giá trị với liên kết mới; trống khi không còn dòng này — Value with the links after; empty when there is no such row any more',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of',
    cause String COMMENT 'Nguyên nhân: merge gộp, split tách, move chuyển, several nhiều loại — Cause: merge, split, move, or several kinds',
    caused_at Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Thời điểm của nguyên nhân tại nguồn; của lần cuối khi có nhiều lần — When the cause was committed at its source; the last one when there are several',
    causes UInt64 COMMENT 'Số lần gộp, tách cùng được tính — Number of merges and splits that were counted together',
    persons_before Array(String) COMMENT 'Những người trước đó; nhiều nhất 100 — The persons before; 100 at most',
    persons_after Array(String) COMMENT 'Những người sau đó; nhiều nhất 100 — The persons after; 100 at most',
    records Array(String) COMMENT 'Các bản ghi đã thay đổi hoặc được quyết định; nhiều nhất 100 — The records that changed or were decided on; 100 at most',
    model_version String COMMENT 'Phiên bản mô hình đối khớp — Version of the matching model',
    event_partition Int32 COMMENT 'Phân vùng của identity.event — Partition of identity.event',
    event_first Int64 COMMENT 'Vị trí của lần gộp, tách đầu tiên — Offset of the first merge or split',
    event_last Int64 COMMENT 'Vị trí của lần gộp, tách cuối cùng — Offset of the last one'
)
AS
SELECT
    toTimeZone(r.restated_at, 'Asia/Ho_Chi_Minh') AS restated_at,
    concat('gold.', r.figure) AS figure,
    r.column AS column,
    mapSort(r.dimensions) AS dimensions,
    r.old_value AS old_value,
    r.new_value AS new_value,
    toTimeZone(r.as_of, 'Asia/Ho_Chi_Minh') AS as_of,
    c.cause AS cause,
    nullIf(c.at, toDateTime64(0, 6, 'Asia/Ho_Chi_Minh')) AS caused_at,
    c.causes AS causes,
    c.persons_before AS persons_before,
    c.persons_after AS persons_after,
    c.records AS records,
    c.model_version AS model_version,
    r.event_partition AS event_partition,
    r.event_first AS event_first,
    r.event_last AS event_last
FROM (SELECT * FROM ops.restated WHERE figure != '') AS r
LEFT ANY JOIN
(
    SELECT
        g.event_partition AS event_partition,
        g.event_first AS event_first,
        if(uniqExact(e.kind) = 1, any(ifNull(e.kind, '')), 'several') AS cause,
        max(e.at) AS at,
        count() AS causes,
        arraySort(groupUniqArrayArray(100)(e.persons_before)) AS persons_before,
        arraySort(groupUniqArrayArray(100)(e.persons_after)) AS persons_after,
        arraySort(groupUniqArrayArray(100)(e.causes)) AS records,
        max(ifNull(e.model_version, '')) AS model_version
    FROM (SELECT event_partition, event_first, arrayJoin(events) AS offset FROM ops.restated WHERE figure = '') AS g
    INNER JOIN silver.identity_event AS e ON e._partition = g.event_partition AND e._offset = g.offset
    GROUP BY g.event_partition, g.event_first
) AS c ON c.event_partition = r.event_partition AND c.event_first = r.event_first
COMMENT 'Số liệu thay đổi do gộp, tách người: cũ, mới và nguyên nhân — Figures that a merge or split of persons changed: old, new and cause'
