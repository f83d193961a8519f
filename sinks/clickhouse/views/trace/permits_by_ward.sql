-- by ward_code, ward_since
-- ward_name = applied, ward_name
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('construction_permit', 'population_ward')) AS today
SELECT p.ward_code AS ward_code, if(w.name IS NULL OR w.valid_to < ifNull(toDate32(p.applied_on), toDate32(0)), NULL, w.since) AS ward_since, 'construction_permit' AS trace_dataset, p._record AS trace_record, 'counted' AS trace_part,
    arrayFilter((figure, counted) -> counted, ['applied', 'issued', 'refused', 'pending', 'floor_area'],
        [1, ifNull(p.status = 'issued', 0), ifNull(p.status = 'refused', 0), ifNull(p.status IN ('received', 'reviewing'), 0), ifNull(p.status = 'issued' AND p.floor_area IS NOT NULL, 0)]) AS trace_figures
FROM silver.v_construction_permit AS p
LEFT ASOF JOIN (SELECT code, name, assumeNotNull(valid_from) AS since, valid_to FROM silver.v_population_ward WHERE valid_from IS NOT NULL) AS w
    ON w.code = p.ward_code AND w.since <= ifNull(toDate32(p.applied_on), toDate32(0))
WHERE p.applied_on >= toStartOfYear(today)
UNION ALL
SELECT code, valid_from, 'population_ward', _record, 'joined', ['ward_name', 'applied', 'issued', 'refused', 'pending', 'floor_area'] FROM silver.v_population_ward
