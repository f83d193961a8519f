CREATE OR REPLACE VIEW gold.permits_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    applied UInt64 COMMENT 'Hồ sơ nộp — Applications',
    issued UInt64 COMMENT 'Đã cấp — Issued',
    refused UInt64 COMMENT 'Từ chối — Refused',
    pending UInt64 COMMENT 'Đang chờ — Pending',
    floor_area Decimal(38, 2) COMMENT 'Diện tích sàn được cấp (m²) — Floor area of issued permits in square metres',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit', 'population_ward')) AS fresh,
    toDate(fresh) AS today
SELECT
    p.ward_code AS ward_code,
    any(w.name) AS ward_name,
    count() AS applied,
    countIf(p.status = 'issued') AS issued,
    countIf(p.status = 'refused') AS refused,
    countIf(p.status IN ('received', 'reviewing')) AS pending,
    ifNull(sumIf(p.floor_area, p.status = 'issued'), 0) AS floor_area,
    any(fresh) AS as_of
FROM silver.v_construction_permit AS p
LEFT ANY JOIN gold.ward AS w ON w.code = p.ward_code
WHERE p.applied_on >= toStartOfYear(today)
GROUP BY p.ward_code
COMMENT 'Hồ sơ và giấy phép xây dựng theo phường, xã, năm nay — Building permits by ward, this year'
