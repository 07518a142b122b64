package store

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
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

// idCycle is after how many milliseconds the time in an id begins anew: it has 40
// bits, for some 35 years.
const idCycle = int64(1) << 40

// timeOf is when an id was made, by the clock of the process that made it; the
// zero time where it isn't one of NewID's.
func timeOf(id string) time.Time {
	_, text, _ := strings.Cut(id, "_")
	b, err := idEncoding.DecodeString(text)
	if err != nil || len(b) < 8 {
		return time.Time{}
	}
	made, now := int64(binary.BigEndian.Uint64(b[:8])>>24), time.Now().UnixMilli()
	made += (now - made + idCycle/2) / idCycle * idCycle // the cycle that is nearest to now
	return time.UnixMilli(made)
}
