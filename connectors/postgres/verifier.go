package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// iterations is PostgreSQL's scram_iterations by default.
const iterations = 4096

const verifierPrefix = "SCRAM-SHA-256$"

// Verifier gives what a server keeps of a password, for CREATE or ALTER ROLE:
// with it in place of the password, a script that is read, kept and logged by
// many holds no secret by which somebody can log in. It is SCRAM-SHA-256's of RFC
// 5803 in PostgreSQL's form, scram_build_secret of src/common/scram-common.c.
//
// A password beyond printable ASCII stays as it is: clients and server differ in
// how they normalise one (SASLprep), and the server does it for itself.
func Verifier(password string) (string, error) {
	if password == "" || strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r > '~' }) {
		return password, nil
	}
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	return verifier(password, salt)
}

func verifier(password string, salt []byte) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	text := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(verifierPrefix+"%d:%s$%s:%s", iterations, text(salt), text(stored[:]), text(sign("Server Key"))), nil
}
