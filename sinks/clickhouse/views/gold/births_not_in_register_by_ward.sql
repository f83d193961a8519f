CREATE OR REPLACE VIEW gold.births_not_in_register_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    ward_since Nullable(Date32) COMMENT 'Mã chỉ phường, xã này từ ngày (trống: danh mục không có mã đó vào ngày lập hồ sơ) — Since when the code names this ward; a code was used again for another on 2025-07-01. Empty: the register has no ward of the code on the day of the record',
    ward_name Nullable(String) COMMENT 'Tên phường, xã — Name of the ward',
    births UInt64 COMMENT 'Số khai sinh — Registered births',
    without_record UInt64 COMMENT 'Chưa có hồ sơ dân cư — Without a citizen record',
    late UInt64 COMMENT 'Khai sinh quá hạn — Registered late',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('population_birth', 'population_ward')) AS fresh,
    toDate(fresh) AS today
SELECT
    b.ward_code AS ward_code,
    if(w.name IS NULL OR w.valid_to < ifNull(toDate32(b.registered_at), toDate32(0)), NULL, w.since) AS ward_since,
    if(ward_since IS NULL, NULL, any(w.name)) AS ward_name,
    count() AS births,
    countIf(b.citizen_id IS NULL) AS without_record,
    countIf(toDate(b.registered_at) > addDays(b.birth_date, 60)) AS late,
    any(fresh) AS as_of
FROM silver.v_population_birth AS b
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = b.ward_code AND w.since <= ifNull(toDate32(b.registered_at), toDate32(0))
GROUP BY b.ward_code, ward_since
COMMENT 'Trẻ đã khai sinh nhưng chưa có hồ sơ dân cư, và khai sinh quá hạn 60 ngày, theo phường, xã — Registered births without a record in the register, and births registered later than 60 days, by ward'
