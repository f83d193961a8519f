-- by tax_kind
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('tax_declaration')) AS today
SELECT d.tax_kind AS tax_kind, 'tax_declaration' AS trace_dataset, d._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['declarations', 'declared', 'on_time', 'missing'],
        [1, d.declared IS NOT NULL, ifNull(toDate(d.submitted_at) <= d.due_on, 0), ifNull(d.submitted_at IS NULL AND d.due_on < today, 0)]) AS trace_figures
FROM silver.v_tax_declaration AS d
WHERE d.period >= toStartOfYear(today)
