CREATE OR REPLACE VIEW gold.health_facilities
(
    facility_id Int32 COMMENT 'Số cơ sở — Number of the facility',
    name Nullable(String) COMMENT 'Tên cơ sở — Name',
    level Nullable(String) COMMENT 'Cấp chuyên môn — Level of care',
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    beds Nullable(Int16) COMMENT 'Giường kế hoạch — Planned beds',
    outpatient UInt64 COMMENT 'Lượt ngoại trú trong tháng — Outpatient visits this month',
    inpatient UInt64 COMMENT 'Lượt nội trú trong tháng — Admissions this month',
    emergency UInt64 COMMENT 'Lượt cấp cứu trong tháng — Emergencies this month',
    staying UInt64 COMMENT 'Người bệnh đang nằm viện — Patients staying now',
    occupancy Nullable(Float64) COMMENT 'Tỷ lệ giường đang dùng — Share of beds in use',
    cost Decimal(38, 2) COMMENT 'Chi phí trong tháng (đồng) — Cost this month in dong',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('health_facility', 'health_encounter')) AS fresh,
    toDate(fresh) AS today
SELECT
    f.facility_id AS facility_id,
    any(f.name) AS name,
    any(f.level) AS level,
    any(f.ward_code) AS ward_code,
    any(f.beds) AS beds,
    countIf(e.kind = 'outpatient' AND e.admitted_at >= toStartOfMonth(today)) AS outpatient,
    countIf(e.kind = 'inpatient' AND e.admitted_at >= toStartOfMonth(today)) AS inpatient,
    countIf(e.kind = 'emergency' AND e.admitted_at >= toStartOfMonth(today)) AS emergency,
    countIf(e.kind = 'inpatient' AND e.discharged_at IS NULL) AS staying,
    staying / nullIf(beds, 0) AS occupancy,
    ifNull(sumIf(e.cost, e.admitted_at >= toStartOfMonth(today)), 0) AS cost,
    any(fresh) AS as_of
FROM silver.v_health_facility AS f
LEFT JOIN silver.v_health_encounter AS e ON e.facility_id = f.facility_id AND e._source = f._source
GROUP BY f._source, f.facility_id
COMMENT 'Hoạt động của các cơ sở y tế trong tháng và công suất giường hiện tại — Work of the health facilities this month, and their beds now'
