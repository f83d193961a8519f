-- figures: overdue by record, permit_no, status, ward_code
CREATE OR REPLACE VIEW gold.permits_of_tax_debtors
(
    permit_id UUID COMMENT 'Mã hồ sơ — The file',
    permit_no Nullable(String) COMMENT 'Số giấy phép — Number of the permit',
    ward_code Nullable(String) COMMENT 'Mã phường, xã — Code of the ward',
    status Nullable(String) COMMENT 'Tình trạng — State',
    person_id String COMMENT 'Chủ đầu tư — The owner',
    floor_area Nullable(Decimal(10, 2)) COMMENT 'Diện tích sàn (m²) — Floor area in square metres',
    overdue Decimal(38, 2) COMMENT 'Nợ quá hạn (đồng) — Overdue tax in dong',
    record String COMMENT 'Bản ghi giấy phép — Record of the permit',
    as_of Nullable(DateTime64(6, 'Asia/Ho_Chi_Minh')) COMMENT 'Số liệu tính đến — Right as of'
)
AS
WITH
    (SELECT minOrNull(as_of) FROM ops.as_of WHERE dataset IN ('construction_permit', 'tax_taxpayer', 'tax_declaration', 'tax_tax_payment', 'identity_link')) AS fresh,
    toDate(fresh) AS today
SELECT p.permit_id AS permit_id, p.permit_no AS permit_no, p.ward_code AS ward_code, p.status AS status, d.person_id AS person_id, p.floor_area AS floor_area, d.overdue AS overdue, p._record AS record, fresh AS as_of
FROM silver.v_construction_permit AS p
INNER JOIN
(
    SELECT assumeNotNull(x.person_id) AS person_id, sum(x.overdue) AS overdue
    FROM gold.tax_debt_by_taxpayer AS x
    WHERE x.person_id IS NOT NULL AND x.overdue > 0
    GROUP BY x.person_id
) AS d ON d.person_id = p.person_id
WHERE p.status IN ('received', 'reviewing', 'issued')
COMMENT 'Giấy phép xây dựng mà chủ đầu tư còn nợ thuế quá hạn — Building permits whose owner has overdue tax'
