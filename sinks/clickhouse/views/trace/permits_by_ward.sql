-- by ward_code
-- ward_name = applied, ward_name
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('construction_permit', 'population_ward')) AS today
SELECT p.ward_code AS ward_code, 'construction_permit' AS trace_dataset, p._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['applied', 'issued', 'refused', 'pending', 'floor_area'],
        [1, ifNull(p.status = 'issued', 0), ifNull(p.status = 'refused', 0), ifNull(p.status IN ('received', 'reviewing'), 0), ifNull(p.status = 'issued' AND p.floor_area IS NOT NULL, 0)]) AS trace_figures
FROM silver.v_construction_permit AS p
WHERE p.applied_on >= toStartOfYear(today)
UNION ALL
SELECT code, trace_dataset, trace_record, 'joined', ['ward_name'] FROM trace.ward
