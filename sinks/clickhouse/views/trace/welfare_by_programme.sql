-- by programme
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('welfare_beneficiary', 'welfare_payment')) AS today
SELECT b.programme AS programme, 'welfare_beneficiary' AS trace_dataset, b._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['active', 'monthly_due'], [ifNull(b.status = 'active', 0), ifNull(b.status = 'active' AND b.monthly_amount IS NOT NULL, 0)]) AS trace_figures
FROM silver.v_welfare_beneficiary AS b
UNION ALL
SELECT b.programme, 'welfare_beneficiary', b._record, 'joined',
    if(ifNull(p.period = toStartOfMonth(today), 0), ['paid_this_month', 'paid_people', 'paid_this_year'], ['paid_this_year'])
FROM silver.v_welfare_beneficiary AS b
INNER JOIN silver.v_welfare_payment AS p ON p.beneficiary_id = b.beneficiary_id AND p._source = b._source
WHERE p.paid_at IS NOT NULL AND (p.period >= toStartOfYear(today) OR p.period = toStartOfMonth(today))
UNION ALL
SELECT b.programme, 'welfare_payment', p._record, 'counted',
    if(ifNull(p.period = toStartOfMonth(today), 0), ['paid_this_month', 'paid_people', 'paid_this_year'], ['paid_this_year'])
FROM silver.v_welfare_beneficiary AS b
INNER JOIN silver.v_welfare_payment AS p ON p.beneficiary_id = b.beneficiary_id AND p._source = b._source
WHERE p.paid_at IS NOT NULL AND (p.period >= toStartOfYear(today) OR p.period = toStartOfMonth(today))
