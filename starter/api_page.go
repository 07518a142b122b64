package starter

import (
	"encoding/base64"
	"net/http"
	"regexp"

	"scrip.dev/scrip/store"
)

// PageQuery is how a part of a list is asked for.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"how many at most"`
	Cursor string `query:"cursor" maxLength:"400" doc:"next of the answer before; opaque"`
}

// pageOf is a part of a list.
type pageOf[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"cursor of the next part; absent in the last"`
}

var cursorKey = regexp.MustCompile(`^[A-Za-z0-9_.:@-]{1,200}$`)

// page gives the rows to ask for: one more than wanted, to see whether there is a
// next part.
func (q PageQuery) page() (store.Page, error) {
	p := store.Page{Limit: q.Limit + 1}
	if q.Cursor == "" {
		return p, nil
	}
	key, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil || !cursorKey.Match(key) {
		return p, problem(http.StatusUnprocessableEntity, "bad_cursor", "the cursor isn't one that this list gave; begin without one")
	}
	p.After = string(key)
	return p, nil
}

// paged cuts the surplus row off and makes the cursor from the last one's key.
func paged[T any](q PageQuery, rows []T, key func(T) string) pageOf[T] {
	out := pageOf[T]{Items: rows}
	if out.Items == nil {
		out.Items = []T{}
	}
	if len(rows) > q.Limit {
		out.Items = rows[:q.Limit]
		out.Next = base64.RawURLEncoding.EncodeToString([]byte(key(rows[q.Limit-1])))
	}
	return out
}
