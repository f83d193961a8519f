package sectors

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const small = `sector: clinic
system: 5
name: {vi: Trạm y tế, en: Clinics}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: patient
    meaning: {vi: Người bệnh, en: Patients}
    person: direct
    columns:
      - {name: id, type: bigint, sensitivity: internal, meaning: {vi: Số, en: Number}}
      - {name: cccd, type: text, sensitivity: identifier, identifier: cccd, match: cccd, meaning: {vi: Số định danh, en: Identity number}}
      - {name: who, type: text, sensitivity: personal, match: full_name, meaning: {vi: Họ tên, en: Name}}
  - name: visit
    meaning: {vi: Lượt khám, en: Visits}
    person: {via: patient, to: patient}
    key: [id]
    columns:
      - {name: id, type: bigint, sensitivity: internal, meaning: {vi: Số, en: Number}}
      - {name: patient, type: bigint, sensitivity: internal, meaning: {vi: Người bệnh, en: Patient}}
`

func TestParse(t *testing.T) {
	s, err := Parse("clinic.yaml", []byte(small))
	require.NoError(t, err)
	require.Equal(t, []string{"id"}, s.Tables[1].Key)
	require.Equal(t, &Person{Via: "patient", To: "patient"}, s.Tables[1].Person)
	require.True(t, s.Tables[0].Person.Direct)
}

// Every fault names the file, the line, the table and the column, and says
// what to do, on one line.
func TestParseFaults(t *testing.T) {
	for _, c := range []struct{ title, old, new, want string }{
		{"unknown key of a column", "type: text, sensitivity: personal", "type: text, colour: red, sensitivity: personal", `clinic.yaml:12: unknown field "colour"; remove it or correct its spelling`},
		{"unknown key of a table", "    key: [id]", "    keys: [id]", `clinic.yaml:16: unknown field "keys"; remove it or correct its spelling`},
		{"unknown key of person", "{via: patient, to: patient}", "{via: patient, into: patient}", `clinic.yaml:15: unknown field "into"; remove it or correct its spelling`},
		{"repeated key", "system: 5\n", "system: 5\nsystem: 6\n", `clinic.yaml:3: mapping key "system" already defined at [2:1]`},
		{"wrong type", "system: 5", "system: five", `clinic.yaml:2: cannot unmarshal`},
		{"syntax", "sector: clinic", "sector: [clinic", "clinic.yaml:2: ',' or ']' must be specified"},
		{"file name", "sector: clinic", "sector: hospital", `clinic.yaml:1: sector is "hospital" but the file is named "clinic"; make them the same`},
		{"system", "system: 5", "system: 30", "clinic.yaml:2: system is 30; give the row of the strategy's table, 1 to 29"},
		{"missing language", "owner: {vi: Sở Y tế, en: Department of Health}", "owner: {vi: Sở Y tế}", "clinic.yaml:4: owner needs both vi and en"},
		{"decomposed Unicode", "{vi: Lượt khám, en: Visits}", "{vi: \"Lu\u031bo\u031b\u0323t\", en: Visits}", "clinic.yaml:14: table visit: meaning is not composed Unicode (NFC)"},
		{"sensitivity", "sensitivity: personal", "sensitivity: secret", `clinic.yaml:12: table patient, column who: sensitivity is "secret"; write one of public, internal, personal, sensitive, identifier`},
		{"match", "match: full_name", "match: surname", `clinic.yaml:12: table patient, column who: match is "surname"; write one of`},
		{"identifier", "identifier: cccd", "identifier: passport", `clinic.yaml:11: table patient, column cccd: identifier is "passport"; write one of`},
		{"P11: matched number without a token", "sensitivity: identifier, identifier: cccd, match: cccd", "sensitivity: personal, match: cccd", "clinic.yaml:11: table patient, column cccd: matches cccd, so it must have identifier: cccd"},
		{"P11: sensitive as identifier without a token", "sensitivity: identifier, identifier: cccd, match: cccd", "sensitivity: identifier", "clinic.yaml:11: table patient, column cccd: sensitivity is identifier but no token domain is given"},
		{"P11: token called internal", "sensitivity: identifier, identifier", "sensitivity: internal, identifier", "clinic.yaml:11: table patient, column cccd: is the identifier cccd; its sensitivity must be identifier"},
		{"P11: name called public", "sensitivity: personal", "sensitivity: public", "clinic.yaml:12: table patient, column who: matches full_name, which is personal data"},
		{"two of a kind", "match: full_name", "identifier: cccd, match: cccd", "clinic.yaml:12: table patient, column who: matches cccd, and so does column cccd"},
		{"identifier matched as another", "identifier: cccd, match: cccd", "identifier: cccd, match: ward", "clinic.yaml:11: table patient, column cccd: is the identifier cccd but matches ward"},
		{"no type", "type: text, sensitivity: personal", "sensitivity: personal", "clinic.yaml:12: table patient, column who: no type"},
		{"bad name", "{name: who", "{name: Who", `clinic.yaml:12: table patient, column Who: name "Who" must be lower-case`},
		{"column twice", "{name: who", "{name: cccd", "clinic.yaml:12: table patient, column cccd: described twice; keep one"},
		{"table twice", "name: visit", "name: patient", "clinic.yaml:13: table patient: described twice; keep one"},
		{"key column", "key: [id]", "key: [id, number]", "clinic.yaml:16: table visit: key column number is not described"},
		{"key column twice", "key: [id]", "key: [id, id]", "clinic.yaml:16: table visit: key column id stands twice"},
		{"person word", "person: direct", "person: indirect", "clinic.yaml:8: person is \"indirect\"; write `direct` or"},
		{"match without person", "    person: direct\n", "", "clinic.yaml:6: table patient: has columns with match but no person"},
		{"direct without match", "    person: {via: patient, to: patient}", "    person: direct", "clinic.yaml:15: table visit: is a record of a person but no column has match"},
		{"via without to", "{via: patient, to: patient}", "{via: patient}", "clinic.yaml:15: table visit: person needs both via and to"},
		{"via unknown", "{via: patient, to: patient}", "{via: whom, to: patient}", "clinic.yaml:15: table visit: person goes via column whom, which is not described"},
		{"to unknown", "{via: patient, to: patient}", "{via: patient, to: people}", "clinic.yaml:15: table visit: person leads to table people, which this file does not describe"},
		{"privacy", "sensitivity: personal, match: full_name", "sensitivity: personal, privacy: hide", `clinic.yaml:12: table patient, column who: privacy is "hide"; write one of drop, mask, token`},
		{"privacy of what is matched", "match: full_name", "match: full_name, privacy: mask", "clinic.yaml:12: table patient, column who: has privacy mask, so the matcher cannot compare it"},
		{"token without a domain", "match: full_name", "privacy: token", `clinic.yaml:12: table patient, column who: becomes a token, but domain is ""; name one`},
		{"token of an identifier's domain", "match: full_name", "privacy: token, domain: phone", "clinic.yaml:12: table patient, column who: domain phone is that of an identifier; write identifier: phone"},
		{"domain without a token", "match: full_name", "domain: names", "clinic.yaml:12: table patient, column who: domain is for a column with privacy: token"},
		{"refers to nowhere", "identifier: cccd, match: cccd", "identifier: cccd, match: cccd, refers: card", "clinic.yaml:11: table patient, column cccd: refers to table card, which this file does not describe; name a table of it"},
		{"refers though it is no token", "match: full_name", "match: full_name, refers: visit", "clinic.yaml:12: table patient, column who: refers is for a column that becomes a token; others join as they are, so remove it"},
		{"unfit", "match: full_name", "unfit: drop", `clinic.yaml:12: table patient, column who: unfit is "drop"; write text`},
		{"unfit of what is matched", "match: full_name", "match: full_name, unfit: text", "clinic.yaml:12: table patient, column who: unfit is for a column that leaves as it is"},
		{"unfit of the key", "{name: id, type: bigint, sensitivity: internal, meaning: {vi: Số, en: Number}}\n      - {name: patient", "{name: id, type: bigint, sensitivity: internal, unfit: text, meaning: {vi: Số, en: Number}}\n      - {name: patient", "clinic.yaml:16: table visit: key column id has unfit, but a row is known by its key"},
		{"unfit under a name that is taken", "{name: patient, type: bigint, sensitivity: internal,", "{name: patient, type: bigint, sensitivity: internal, unfit: text, meaning: {vi: Người bệnh, en: Patient}}\n      - {name: patient_unfit, type: bigint, sensitivity: internal,", "table visit: column patient has unfit, whose values go to patient_unfit, and there is a column of that name"},
		{"key dropped", "    key: [id]", "    key: [who]", "clinic.yaml:16: table visit: key column who"},
		{"undescribed", "    key: [id]", "    undescribed: mask", `clinic.yaml:16: table visit: undescribed is "mask"; write drop, skip or capture`},
		{"undescribed of all", "system: 5\n", "system: 5\nundescribed: never\n", `clinic.yaml:3: undescribed is "never"; write drop, skip or capture`},
		{"where: two statements", "    key: [id]", "    where: \"true); DROP TABLE x; (true\"", "clinic.yaml:16: table visit: where closes a parenthesis that it did not open; write one condition of SQL"},
		{"where: semicolon", "    key: [id]", "    where: \"id > 5; SELECT 1\"", "clinic.yaml:16: table visit: where holds a semicolon"},
		{"where: comment", "    key: [id]", "    where: id > 5 -- all", "clinic.yaml:16: table visit: where holds a semicolon, a dollar sign or a comment"},
		{"where: open quote", "    key: [id]", "    where: \"id > '5\"", "clinic.yaml:16: table visit: where leaves a parenthesis or a quote open"},
		{"where: backslash", "    key: [id]", `    where: who = E'\'; DROP'`, "clinic.yaml:16: table visit: where has a backslash within quotes"},
		{"person via a token", "patient, type: bigint, sensitivity: internal,", "patient, type: bigint, sensitivity: internal, privacy: token, domain: patient,", "clinic.yaml:15: table visit: person goes via column patient, which has privacy token"},
		{"to no person", "{via: patient, to: patient}", "{via: patient, to: visit}", "clinic.yaml:15: table visit: person leads to table visit, which is no record of a person"},
	} {
		t.Run(c.title, func(t *testing.T) {
			require.Contains(t, small, c.old)
			_, err := Parse("clinic.yaml", []byte(strings.Replace(small, c.old, c.new, 1)))
			require.ErrorContains(t, err, c.want)
			var fault *FileError
			require.True(t, errors.As(err, &fault), "%T", err)
			require.NotContains(t, fault.Error(), "\n")
		})
	}
}

// What an owner keeps back is neither in the list of the publication nor in a
// vault.
func TestPrivacy(t *testing.T) {
	s, err := Parse("clinic.yaml", []byte(strings.NewReplacer(
		"match: full_name", "privacy: drop", "identifier: cccd, match: cccd", "identifier: cccd, privacy: token", "    person: direct\n", "    where: id > 5 AND (who IS NULL OR who <> 'a;b')\n",
		"{via: patient, to: patient}", "", "    person: \n", "",
		"    key: [id]", "    key: [patient]",
		"name: patient, type: bigint, sensitivity: internal,", "name: patient, type: bigint, sensitivity: internal, privacy: token, domain: patient,").Replace(strings.Replace(small, "    person: {via: patient, to: patient}\n", "", 1))))
	require.NoError(t, err)
	patient, visit := s.Tables[0], s.Tables[1]
	require.False(t, patient.Vault(), "no plaintext is left for one")
	require.True(t, patient.Narrow())
	require.Equal(t, []string{"id", "cccd"}, patient.Captured())
	require.True(t, patient.Captures("cccd"))
	require.False(t, patient.Captures("who"))
	require.False(t, patient.Captures("undescribed"), "the list names columns")
	require.Equal(t, "id > 5 AND (who IS NULL OR who <> 'a;b')", patient.Where)
	cccd, _ := patient.Column("cccd")
	require.Equal(t, CCCD, cccd.TokenDomain())
	who, _ := patient.Column("who")
	require.Empty(t, who.TokenDomain())

	require.False(t, visit.Narrow())
	require.Equal(t, []string{"id", "patient"}, visit.Captured())
	require.False(t, visit.Captures("undescribed"), "a renamed column must not become plain")
	key, _ := visit.Column("patient")
	require.Equal(t, "patient", key.TokenDomain())
	visit.Undescribed = Drop
	require.True(t, visit.Narrow())
	require.False(t, visit.Captures("undescribed"))
	require.Equal(t, []string{"id", "patient"}, visit.Captured())
}

// What becomes of columns that the file does not describe, of all tables or of
// one.
func TestUndescribed(t *testing.T) {
	s, err := Parse("clinic.yaml", []byte(small))
	require.NoError(t, err)
	require.False(t, s.Tables[1].Private())
	require.Nil(t, s.Tables[1].Captured(), "every column")
	require.True(t, s.Tables[1].Captures("later"))
	s, err = Parse("clinic.yaml", []byte(strings.NewReplacer("system: 5\n", "system: 5\nundescribed: drop\n", "    key: [id]", "    key: [id]\n    undescribed: skip").Replace(small)))
	require.NoError(t, err)
	patient, visit := s.Tables[0], s.Tables[1]
	require.True(t, patient.Narrow())
	require.True(t, patient.Vault())
	require.False(t, visit.Narrow(), "no list of the publication, which would keep the application from dropping a column")
	require.True(t, visit.Private())
	require.False(t, visit.Captures("later"))
	require.Equal(t, []string{"id", "patient"}, visit.Captured())
	s, err = Parse("clinic.yaml", []byte(strings.NewReplacer("system: 5\n", "system: 5\nundescribed: drop\n", "    key: [id]", "    key: [id]\n    undescribed: capture").Replace(small)))
	require.NoError(t, err)
	require.True(t, s.Tables[0].Private())
	require.False(t, s.Tables[1].Private())
}

func TestParseTellsAllFaults(t *testing.T) {
	bad := strings.NewReplacer("system: 5", "system: 0", "match: full_name", "match: surname").Replace(small)
	_, err := Parse("clinic.yaml", []byte(bad))
	require.ErrorContains(t, err, "clinic.yaml:2:")
	require.ErrorContains(t, err, "clinic.yaml:12:")
}

func TestParsePlainYAML(t *testing.T) {
	for _, bad := range []string{"key: &k [id]", "key: *k", "key: !00\n"} {
		_, err := Parse("clinic.yaml", []byte(strings.Replace(small, "key: [id]", bad, 1)))
		require.ErrorContains(t, err, "write the value itself")
		require.ErrorContains(t, err, "clinic.yaml:16")
	}
}

func TestParseOneDocument(t *testing.T) {
	_, err := Parse("clinic.yaml", []byte(small+"---\nsector: other\n"))
	require.ErrorContains(t, err, "holds 2 YAML documents")
}

// No input makes Parse panic, and what it accepts keeps P11.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte("sector: clinic\ntables: [{person: [1]}]"))
	f.Add([]byte("a: &x [*x]"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("clinic.yaml", data)
		if err != nil {
			return
		}
		for _, table := range s.Tables {
			for _, c := range table.Columns {
				require.Equal(t, c.Sensitivity == Identifier, c.Identifier != "")
			}
		}
	})
}
