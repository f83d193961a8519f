CREATE OR REPLACE VIEW gold.health_cost_by_month
(
    month Date COMMENT 'Tháng — Month',
    encounters UInt64 COMMENT 'Số lượt — Encounters',
    patients UInt64 COMMENT 'Số người bệnh — Patients',
    cost Decimal(38, 2) COMMENT 'Chi phí (đồng) — Cost in dong',
    insured_paid Decimal(38, 2) COMMENT 'Bảo hiểm chi trả (đồng) — Paid by insurance in dong',
    insured_share Nullable(Float64) COMMENT 'Tỷ lệ bảo hiểm chi trả — Share paid by insurance',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_encounter')) AS fresh,
    toDate(fresh) AS today
SELECT
    toDate(toStartOfMonth(assumeNotNull(e.admitted_at))) AS month,
    count() AS encounters,
    uniqExact(e._source, e.patient_id) AS patients,
    ifNull(sum(e.cost), 0) AS cost,
    ifNull(sum(e.insured_paid), 0) AS insured_paid,
    toFloat64(insured_paid) / nullIf(toFloat64(cost), 0) AS insured_share,
    any(fresh) AS as_of
FROM silver.v_health_encounter AS e
WHERE e.admitted_at IS NOT NULL
GROUP BY month
COMMENT 'Lượt khám, chi phí và phần bảo hiểm y tế chi trả theo tháng — Encounters, cost and the part paid by health insurance, by month'
