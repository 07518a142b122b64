package store

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// Prefixes of the ids that people see. An id says nothing about its subject.
const (
	ContactID    = "ct"
	JourneyID    = "jn"
	EventID      = "ev"
	MessageID    = "ms"
	RedemptionID = "rd"
	ImportID     = "im"
	KeyID        = "ak"
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID makes an opaque id: the prefix, then sixteen letters that begin with the
// time (so that new rows lie together in an index) and end in 40 random bits.
func NewID(prefix string) string {
	var b [10]byte
	binary.BigEndian.PutUint64(b[:8], uint64(time.Now().UnixMilli())<<24)
	_, _ = rand.Read(b[5:])
	return prefix + "_" + idEncoding.EncodeToString(b[:])
}
