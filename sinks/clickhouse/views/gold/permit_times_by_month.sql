CREATE OR REPLACE VIEW gold.permit_times_by_month
(
    month Date COMMENT 'Tháng cấp — Month of issue',
    issued UInt64 COMMENT 'Số giấy phép — Permits',
    median_days Nullable(Float64) COMMENT 'Số ngày trung vị — Median days',
    over_15_days UInt64 COMMENT 'Quá 15 ngày — Longer than 15 days',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit')) AS fresh,
    toDate(fresh) AS today
SELECT
    toDate(toStartOfMonth(assumeNotNull(p.issued_on))) AS month,
    count() AS issued,
    quantileExact(dateDiff('day', assumeNotNull(p.applied_on), assumeNotNull(p.issued_on))) AS median_days,
    countIf(dateDiff('day', assumeNotNull(p.applied_on), assumeNotNull(p.issued_on)) > 15) AS over_15_days,
    any(fresh) AS as_of
FROM silver.v_construction_permit AS p
WHERE p.issued_on IS NOT NULL AND p.applied_on IS NOT NULL
GROUP BY month
COMMENT 'Thời gian cấp phép theo tháng cấp — Days from application to issue, by month of issue'
