-- by record
-- code = businesses
-- category = businesses
-- ward_code = businesses
WITH
    (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('welfare_household', 'welfare_household_member', 'tax_taxpayer', 'tax_tax_payment', 'identity_link')) AS today,
    way AS
    (
        SELECT h._record AS household, m._record AS member, x._record AS taxpayer, p._record AS payment, p.amount AS amount
        FROM silver.v_welfare_household AS h
        INNER JOIN silver.v_welfare_household_member AS m ON m.household_id = h.household_id AND m._source = h._source
        INNER JOIN silver.v_tax_taxpayer AS x ON x.person_id = m.person_id
        INNER JOIN silver.v_tax_tax_payment AS p ON p.taxpayer_id = x.taxpayer_id AND p._source = x._source
        WHERE h.category IN ('poor', 'near_poor') AND x.kind = 'household_business' AND p.paid_at >= addMonths(today, -12)
    )
SELECT household AS record, 'welfare_household' AS trace_dataset, household AS trace_record, 'joined' AS trace_part, ['businesses', 'paid_12_months'] AS trace_figures FROM way
UNION ALL
SELECT household, 'welfare_household_member', member, 'joined', ['businesses', 'paid_12_months'] FROM way
UNION ALL
SELECT household, 'tax_taxpayer', taxpayer, 'counted', ['businesses', 'paid_12_months'] FROM way
UNION ALL
SELECT household, 'tax_tax_payment', payment, 'counted', ['businesses', 'paid_12_months'] FROM way
