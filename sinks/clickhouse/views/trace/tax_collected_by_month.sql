-- by month, kind
SELECT toDate(toStartOfMonth(assumeNotNull(p.paid_at))) AS month, t.kind AS kind, 'tax_tax_payment' AS trace_dataset, p._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['payments', 'collected'], [1, p.amount IS NOT NULL]) AS trace_figures
FROM silver.v_tax_tax_payment AS p
LEFT ANY JOIN silver.v_tax_taxpayer AS t ON t.taxpayer_id = p.taxpayer_id AND t._source = p._source
WHERE p.paid_at IS NOT NULL
UNION ALL
SELECT toDate(toStartOfMonth(assumeNotNull(p.paid_at))), t.kind, 'tax_taxpayer', t._record, 'joined', ['payments', 'collected']
FROM silver.v_tax_tax_payment AS p
INNER JOIN silver.v_tax_taxpayer AS t ON t.taxpayer_id = p.taxpayer_id AND t._source = p._source
WHERE p.paid_at IS NOT NULL
