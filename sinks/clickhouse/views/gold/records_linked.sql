-- figures: records, linked, review, share by source, sector, table
CREATE OR REPLACE VIEW gold.records_linked
(
    source Nullable(String) COMMENT 'Nguồn — Source',
    sector Nullable(String) COMMENT 'Lĩnh vực — Sector',
    table Nullable(String) COMMENT 'Bảng — Table',
    records UInt64 COMMENT 'Số bản ghi — Records',
    linked UInt64 COMMENT 'Đã liên kết — Linked',
    review UInt64 COMMENT 'Cần xem lại — To be reviewed',
    share Nullable(Float64) COMMENT 'Tỷ lệ — Share',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    source, sector, table,
    count() AS records,
    countIf(citizen IS NOT NULL) AS linked,
    countIf(decision = 'review') AS review,
    linked / records AS share,
    any(fresh) AS as_of
FROM silver.identity_link FINAL
GROUP BY source, sector, table
COMMENT 'Tỷ lệ bản ghi của mỗi bảng đã liên kết với dân cư — Share of each table\'s records that are linked to the population register'
