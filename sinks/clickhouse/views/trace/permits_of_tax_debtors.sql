-- by record
-- floor_area = overdue
-- person_id = overdue
-- status = overdue
-- ward_code = overdue
-- permit_no = overdue
-- permit_id = overdue
SELECT p._record AS record, 'construction_permit' AS trace_dataset, p._record AS trace_record, 'joined' AS trace_part,
    ['overdue'] AS trace_figures
FROM silver.v_construction_permit AS p
WHERE p.status IN ('received', 'reviewing', 'issued') AND p.person_id IN (SELECT person_id FROM gold.tax_debt_by_taxpayer WHERE person_id IS NOT NULL AND overdue > 0)
UNION ALL
SELECT p._record, t.trace_dataset, t.trace_record, t.trace_part, ['overdue']
FROM silver.v_construction_permit AS p
INNER JOIN (SELECT person_id, record FROM gold.tax_debt_by_taxpayer WHERE person_id IS NOT NULL AND overdue > 0) AS d ON d.person_id = p.person_id
INNER JOIN (SELECT record, trace_dataset, trace_record, trace_part FROM trace.tax_debt_by_taxpayer WHERE has(trace_figures, 'overdue')) AS t ON t.record = d.record
WHERE p.status IN ('received', 'reviewing', 'issued')
