package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/nyaruka/phonenumbers"

	"scrip.dev/scrip/event"
)

// maxIdentity bounds an address or outside id, in bytes: it stands in an index.
const maxIdentity = 512

// identity is one normalised way in which a system knows a person.
type identity struct {
	kind, realm, norm, value string
}

// normaliseIdentities gives the identities that can be used, sorted, each once.
// What can't be an address is left out: it says nothing about who it is.
func normaliseIdentities(realm string, p event.Person) []identity {
	var usable []identity
	for _, id := range p.Identities {
		norm, ok := normaliseIdentity(id.Kind, id.Value, p.Country)
		if !ok {
			continue
		}
		n := identity{kind: id.Kind, norm: norm, value: strings.TrimSpace(id.Value)}
		if id.Kind == event.External {
			n.realm = cmp.Or(id.Realm, realm)
		}
		if !slices.ContainsFunc(usable, n.same) {
			usable = append(usable, n)
		}
	}
	slices.SortFunc(usable, func(a, b identity) int {
		return cmp.Or(strings.Compare(a.kind, b.kind), strings.Compare(a.realm, b.realm), strings.Compare(a.norm, b.norm))
	})
	return usable
}

// Identifies says whether anything that is told of a person says who it is.
func Identifies(p event.Person) bool {
	return len(normaliseIdentities(ConnectionAPI, p)) > 0
}

func (i identity) same(o identity) bool {
	return i.kind == o.kind && i.realm == o.realm && i.norm == o.norm
}

// normaliseIdentity gives the form in which addresses are compared: e-mail in
// lower case, phones in E.164 (national ones by the country, ISO 3166-1), outside
// ids as they are. Where that isn't possible it returns the trimmed text and
// false.
func normaliseIdentity(kind, value, country string) (string, bool) {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > maxIdentity {
		return value, false
	}
	switch kind {
	case event.Email:
		local, domain, found := strings.Cut(value, "@")
		return strings.ToLower(value), found && local != "" && domain != "" && !strings.ContainsAny(value, " \t\r\n<>,")
	case event.Phone:
		number, err := phonenumbers.Parse(value, strings.ToUpper(country))
		if err != nil || !phonenumbers.IsPossibleNumber(number) {
			return value, false
		}
		norm := phonenumbers.Format(number, phonenumbers.E164)
		// Of zeros without a number behind them, each reading takes one away.
		again, err := phonenumbers.Parse(norm, "")
		if err != nil || phonenumbers.Format(again, phonenumbers.E164) != norm {
			return value, false
		}
		return norm, true
	case event.External:
		return value, true
	}
	return value, false
}

// owners gives the contacts that the identities belong to, oldest first, and the
// identities that belong to nobody yet. Merged contacts are followed.
func (s *Store) owners(ctx context.Context, q Querier, ids []identity) (owners []string, free []identity, err error) {
	kinds, realms, norms := columns(ids)
	rows, err := q.Query(ctx, `SELECT want.ord, p.id, p.created_at
		FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS want (kind, realm, norm, ord)
		LEFT JOIN identity i ON i.kind = want.kind AND i.realm = want.realm AND i.value_norm = want.norm
		LEFT JOIN contact c ON c.id = CASE WHEN want.kind = 'external' AND want.realm = 'scrip' THEN want.norm ELSE i.contact_id END
		LEFT JOIN contact p ON p.id = coalesce(c.merged_into, c.id) AND p.erased_at IS NULL
		ORDER BY p.created_at, p.id`, kinds, realms, norms)
	if err != nil {
		return nil, nil, fmt.Errorf("looking up identities: %w", err)
	}
	var ord int
	var owner *string
	_, err = pgx.ForEachRow(rows, []any{&ord, &owner, nil}, func() error {
		switch {
		case owner == nil:
			free = append(free, ids[ord-1])
		case !slices.Contains(owners, *owner):
			owners = append(owners, *owner)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("looking up identities: %w", err)
	}
	return owners, slices.DeleteFunc(free, func(i identity) bool { return i.realm == ConnectionScrip }), nil
}

// link gives identities to a contact and returns the other contacts that turned
// out to have some of them: another process was faster.
func (s *Store) link(ctx context.Context, q Querier, contactID string, ids []identity) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	kinds, realms, norms := columns(ids)
	values := make([]string, len(ids))
	for i, id := range ids {
		values[i] = id.value
	}
	rows, err := q.Query(ctx, `WITH linked AS (
			INSERT INTO identity AS i (kind, realm, value_norm, value, contact_id)
			SELECT kind, realm, norm, value, $5 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t (kind, realm, norm, value)
			ON CONFLICT (kind, realm, value_norm) DO UPDATE SET contact_id = i.contact_id RETURNING contact_id)
		SELECT DISTINCT contact_id FROM linked WHERE contact_id <> $5`, kinds, realms, norms, values, contactID)
	if err != nil {
		return nil, fmt.Errorf("linking identities: %w", err)
	}
	others, err := collect[string](rows)
	if err != nil {
		return nil, fmt.Errorf("linking identities: %w", err)
	}
	return others, nil
}

func columns(ids []identity) (kinds, realms, norms []string) {
	for _, i := range ids {
		kinds, realms, norms = append(kinds, i.kind), append(realms, i.realm), append(norms, i.norm)
	}
	return kinds, realms, norms
}

func collect[T any](rows pgx.Rows) ([]T, error) { return pgx.CollectRows(rows, pgx.RowTo[T]) }
