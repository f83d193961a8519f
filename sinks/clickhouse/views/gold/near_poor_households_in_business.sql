-- figures: businesses, paid_12_months by record, code, category, ward_code
CREATE OR REPLACE VIEW gold.near_poor_households_in_business
(
    household_id Int64 COMMENT 'Số hộ — Number of the household',
    code Nullable(String) COMMENT 'Mã hộ — Code',
    category Nullable(String) COMMENT 'Diện — Category',
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    businesses UInt64 COMMENT 'Số hộ kinh doanh — Household businesses',
    paid_12_months Decimal(38, 2) COMMENT 'Thuế đã nộp trong 12 tháng (đồng) — Tax paid in the last 12 months in dong',
    record String COMMENT 'Bản ghi hộ — Record of the household',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('welfare_household', 'welfare_household_member', 'tax_taxpayer', 'tax_tax_payment', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT
    h.household_id AS household_id,
    any(h.code) AS code,
    any(h.category) AS category,
    any(h.ward_code) AS ward_code,
    uniqExact(t.record) AS businesses,
    sum(t.paid) AS paid_12_months,
    h._record AS record,
    any(fresh) AS as_of
FROM silver.v_welfare_household AS h
INNER JOIN silver.v_welfare_household_member AS m ON m.household_id = h.household_id AND m._source = h._source
INNER JOIN
(
    SELECT assumeNotNull(x.person_id) AS person_id, x._record AS record, ifNull(sum(p.amount), 0) AS paid
    FROM silver.v_tax_taxpayer AS x
    INNER JOIN silver.v_tax_tax_payment AS p ON p.taxpayer_id = x.taxpayer_id AND p._source = x._source
    WHERE x.kind = 'household_business' AND x.person_id IS NOT NULL AND p.paid_at >= addMonths(today, -12)
    GROUP BY x.person_id, x._record
) AS t ON t.person_id = m.person_id
WHERE h.category IN ('poor', 'near_poor')
GROUP BY h.household_id, h._record
COMMENT 'Hộ nghèo, hộ cận nghèo có thành viên nộp thuế hộ kinh doanh — Poor and near-poor households with a member who pays business tax'
