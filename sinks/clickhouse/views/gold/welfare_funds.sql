CREATE OR REPLACE VIEW gold.welfare_funds
(
    fund_id Int32 COMMENT 'Số nguồn — Number of the fund',
    name Nullable(String) COMMENT 'Tên nguồn — Name',
    programme Nullable(String) COMMENT 'Chính sách — Programme',
    year Nullable(Int16) COMMENT 'Năm — Year',
    allocated Decimal(38, 2) COMMENT 'Phân bổ (đồng) — Allotted in dong',
    spent Decimal(38, 2) COMMENT 'Đã dùng (đồng) — Spent in dong',
    left Decimal(38, 2) COMMENT 'Còn lại (đồng) — Left in dong',
    spent_share Nullable(Float64) COMMENT 'Tỷ lệ đã dùng — Share spent',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_fund')) AS fresh,
    toDate(fresh) AS today
SELECT
    fund_id, name, programme, year,
    ifNull(f.allocated, 0) AS allocated,
    ifNull(f.spent, 0) AS spent,
    allocated - spent AS left,
    toFloat64(spent) / nullIf(toFloat64(allocated), 0) AS spent_share,
    fresh AS as_of
FROM silver.v_welfare_fund AS f
COMMENT 'Nguồn lực an sinh: phân bổ, đã dùng, còn lại — Welfare funds: allotted, spent, left'
