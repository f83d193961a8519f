CREATE OR REPLACE VIEW gold.births_not_in_register_by_ward
(
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
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
    any(w.name) AS ward_name,
    count() AS births,
    countIf(b.citizen_id IS NULL) AS without_record,
    countIf(toDate(b.registered_at) > addDays(b.birth_date, 60)) AS late,
    any(fresh) AS as_of
FROM silver.v_population_birth AS b
LEFT ANY JOIN gold.ward AS w ON w.code = b.ward_code
GROUP BY b.ward_code
COMMENT 'Trẻ đã khai sinh nhưng chưa có hồ sơ dân cư, và khai sinh quá hạn 60 ngày, theo phường, xã — Registered births without a record in the register, and births registered later than 60 days, by ward'
