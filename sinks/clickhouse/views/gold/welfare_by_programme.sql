CREATE OR REPLACE VIEW gold.welfare_by_programme
(
    programme Nullable(String) COMMENT 'Chính sách — Programme',
    active UInt64 COMMENT 'Đang hưởng — Active beneficiaries',
    monthly_due Decimal(38, 2) COMMENT 'Mức chi hằng tháng (đồng) — Due each month in dong',
    paid_this_month Decimal(38, 2) COMMENT 'Đã chi cho tháng này (đồng) — Paid for this month in dong',
    paid_people UInt64 COMMENT 'Số người đã nhận tháng này — People paid for this month',
    paid_this_year Decimal(38, 2) COMMENT 'Đã chi cho năm nay (đồng) — Paid for this year in dong',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary', 'welfare_payment')) AS fresh,
    toDate(fresh) AS today
SELECT
    b.programme AS programme,
    countIf(b.status = 'active') AS active,
    ifNull(sumIf(b.monthly_amount, b.status = 'active'), 0) AS monthly_due,
    ifNull(sum(p.month_amount), 0) AS paid_this_month,
    countIf(p.month_amount > 0) AS paid_people,
    ifNull(sum(p.year_amount), 0) AS paid_this_year,
    any(fresh) AS as_of
FROM silver.v_welfare_beneficiary AS b
LEFT ANY JOIN
(
    SELECT _source, beneficiary_id, sumIf(amount, period = toStartOfMonth(today)) AS month_amount, sumIf(amount, period >= toStartOfYear(today)) AS year_amount
    FROM silver.v_welfare_payment
    WHERE paid_at IS NOT NULL
    GROUP BY _source, beneficiary_id
) AS p ON p.beneficiary_id = b.beneficiary_id AND p._source = b._source
GROUP BY b.programme
COMMENT 'Đối tượng đang hưởng và trợ cấp đã chi theo chính sách — Beneficiaries and payments by programme'
