package access

import (
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// The roles that every installation has; Steward gives those of the sectors.
const (
	Leader       = "hopluu_leader"
	Analyst      = "hopluu_analyst"
	PersonReader = "hopluu_person_reader"
	Operator     = "hopluu_operator"
	Auditor      = "hopluu_auditor"
)

// Prefix begins the names of all roles that hopluu keeps. A role of that prefix
// which is none of Roles is somebody else's, and is left alone.
const Prefix = "hopluu_"

// Steward is the role of those who answer for a sector's data.
func Steward(sector string) string { return Prefix + sector + "_steward" }

// Role is a role and what it is for.
type Role struct {
	Name    string       `json:"role"`
	Meaning sectors.Text `json:"meaning"`
}

// Roles are those of an installation with these sectors, in the order in which
// they are shown.
func Roles(set *sectors.Set) []Role {
	roles := []Role{
		{Leader, sectors.Text{Vi: "Chỉ số và kho chủ đề không có dữ liệu của từng người", En: "Indicators and marts, no row of which is a person's"}},
		{Analyst, sectors.Text{Vi: "Thêm các cột không phải dữ liệu cá nhân của silver", En: "And silver's columns that are not personal"}},
		{PersonReader, sectors.Text{Vi: "Hồ sơ thống nhất của từng người, tổ chức và các kho chủ đề theo từng người", En: "Golden records of persons and organisations, and marts by person"}},
	}
	for i := range set.Sectors {
		s := &set.Sectors[i]
		roles = append(roles, Role{Steward(s.Sector), sectors.Text{Vi: "Mọi cột của " + s.Name.Vi + ", cả lịch sử", En: "All columns of " + s.Name.En + ", with their history"}})
	}
	return append(roles,
		Role{Operator, sectors.Text{Vi: "Vận hành: độ tươi, đối soát, bản ghi lỗi không có nội dung", En: "Operations: freshness, reconciliation, dead letters without what they hold"}},
		Role{Auditor, sectors.Text{Vi: "Nhật ký: ai đã đọc, đã làm gì, và sổ xóa", En: "Logs: who read and did what, and the ledger of erasures"}},
	)
}

// aggregated are the marts whose rows are of no person, household or
// organisation: of those with columns named, these columns alone. Every other
// mart is the person readers'.
var aggregated = map[string][]string{
	"beneficiaries_without_insurance_by_programme": nil,
	"births_and_deaths_by_month":                   nil,
	"births_not_in_register_by_ward":               nil,
	"catalogue":                                    nil,
	"children_without_civil_record_by_ward":        nil,
	"health_cost_by_month":                         nil,
	"health_diagnoses_this_month":                  nil,
	"health_facilities":                            nil,
	"indicators":                                   nil,
	"inspections_by_month":                         nil,
	"insured_share_by_ward":                        nil,
	"permit_times_by_month":                        nil,
	"permits_by_ward":                              nil,
	"poor_members_in_hospital_by_ward":             nil,
	"population_by_ward":                           nil,
	"poverty_by_ward":                              nil,
	"records_linked":                               nil,
	"tax_by_kind":                                  nil,
	"tax_collected_by_month":                       nil,
	"ward":                                         nil,
	"welfare_by_programme":                         nil,
	"welfare_funds":                                nil,
	// Its dimensions, records and persons may name one.
	"restatement": {"restated_at", "figure", "column", "old_value", "new_value", "as_of", "cause", "caused_at", "causes", "model_version"},
}

// operations are the tables of ops that operators read: of those with columns
// named, all but these, which hold values, keys, or texts of errors that may repeat
// a value.
var operations = map[string][]string{
	"as_of":                nil,
	"bronze_retention":     nil,
	"catalogue":            nil,
	"dead_letter":          {"reason", "key", "value", "record"},
	"freshness":            nil,
	"lost_topic":           nil,
	"partition":            nil,
	"reconciliation":       {"samples", "error"},
	"reconciliation_range": {"after", "up_to", "missing_keys", "extra_keys", "different_keys", "waiting_keys"},
	"restated":             {"dimensions"},
	"sink_epoch":           nil,
	"topic":                nil,
}

// audits are the tables that auditors read.
var audits = map[string]map[string]bool{
	tables.Ops:    {"access": true, "audit": true, "catalogue": true, "erased_offset": true, "erasure": true, "identity_audit": true},
	tables.Bronze: {tables.IdentityAudit: true}, // what ops.identity_audit is a view of
}

// links are the columns of silver.identity_link that are of no person beyond the
// names of records: the v_ views join them.
var links = []string{"record", "source", "sector", "table", "person_id", "citizen", "decision", "rule", "model_version", "weight"}

// reviews are the columns of silver.identity_review by which counts of persons are
// given as ranges.
var reviews = []string{"rule", "weight", "rank", "figures", "model_version"}

// own are the sink's own columns of silver that say nothing of a person; _record
// holds the key, and is judged by it.
var own = map[string]bool{
	"_op": true, "_version": true, "_is_deleted": true, "_incomplete": true, "_arrays": true, "_lsn": true, "_commit_time": true,
	"_source": true, "_topic": true, "_partition": true, "_offset": true,
}
