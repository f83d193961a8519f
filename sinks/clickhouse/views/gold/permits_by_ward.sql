CREATE OR REPLACE VIEW gold.permits_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_since Nullable(Date32) COMMENT 'Mã chỉ phường, xã này từ ngày (trống: danh mục không có mã đó vào ngày lập hồ sơ) — Since when the code names this ward; a code was used again for another on 2025-07-01. Empty: the register has no ward of the code on the day of the record',
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
    if(w.name IS NULL OR w.valid_to < ifNull(toDate32(p.applied_on), toDate32(0)), NULL, w.since) AS ward_since,
    if(ward_since IS NULL, NULL, any(w.name)) AS ward_name,
    count() AS applied,
    countIf(p.status = 'issued') AS issued,
    countIf(p.status = 'refused') AS refused,
    countIf(p.status IN ('received', 'reviewing')) AS pending,
    ifNull(sumIf(p.floor_area, p.status = 'issued'), 0) AS floor_area,
    any(fresh) AS as_of
FROM silver.v_construction_permit AS p
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = p.ward_code AND w.since <= ifNull(toDate32(p.applied_on), toDate32(0))
WHERE p.applied_on >= toStartOfYear(today)
GROUP BY p.ward_code, ward_since
COMMENT 'Hồ sơ và giấy phép xây dựng theo phường, xã, năm nay — Building permits by ward, this year'
