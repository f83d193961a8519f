-- by facility_id, name, ward_code
-- occupancy = staying, beds
WITH (SELECT toDate(minOrNull(as_of)) FROM ops.as_of WHERE dataset IN ('health_facility', 'health_encounter')) AS today
SELECT f.facility_id AS facility_id, f.name AS name, f.ward_code AS ward_code, 'health_facility' AS trace_dataset, f._record AS trace_record, 'joined' AS trace_part,
    ['name', 'level', 'ward_code', 'beds', 'outpatient', 'inpatient', 'emergency', 'staying', 'cost'] AS trace_figures
FROM silver.v_health_facility AS f
UNION ALL
SELECT f.facility_id, f.name, f.ward_code, 'health_encounter', e._record, 'counted',
    arrayFilter((figure, counted) -> counted, ['outpatient', 'inpatient', 'emergency', 'staying', 'cost'],
        [ifNull(e.kind = 'outpatient' AND e.admitted_at >= toStartOfMonth(today), 0), ifNull(e.kind = 'inpatient' AND e.admitted_at >= toStartOfMonth(today), 0),
         ifNull(e.kind = 'emergency' AND e.admitted_at >= toStartOfMonth(today), 0), ifNull(e.kind = 'inpatient' AND e.discharged_at IS NULL, 0),
         ifNull(e.cost IS NOT NULL AND e.admitted_at >= toStartOfMonth(today), 0)])
FROM silver.v_health_facility AS f
INNER JOIN silver.v_health_encounter AS e ON e.facility_id = f.facility_id AND e._source = f._source
