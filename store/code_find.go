package store

import (
	"context"
	"fmt"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// among says which codes one is looked up among. Who asks whether a code can be
// used must not be able to tell one that nobody was given, or that only somebody
// else may use, from one that doesn't exist, not even by the statements that are
// run for it.
type among struct {
	where string // what has to hold of the code; "" nothing
	knows string // asked of the code that is found: whether who asks, $3, may be told of it though only its holder may use it
	who   string // $3
}

var allCodes = among{knows: `$3 = ''`}

// unheldCodes asks of a code whether nobody holds it.
var unheldCodes = among{knows: `$3 = '' AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.batch_id = c.batch_id AND a.pos = c.pos
	AND a.returned_at IS NULL AND (a.single_use OR NOT a.single_use) OFFSET 0)`}

const givenCodes = ` AND (cp.pool = 'shared'
	OR EXISTS (SELECT 1 FROM assignment a WHERE a.batch_id = c.batch_id AND a.pos = c.pos AND a.returned_at IS NULL AND a.single_use OFFSET 0)
	OR EXISTS (SELECT 1 FROM redemption r WHERE r.batch_id = c.batch_id AND r.pos = c.pos OFFSET 0))`

// usableBy are the codes that a contact, "" for one that isn't known, may be told of.
// Its condition on single_use is always true: it names the two partial indexes
// through which a code's assignments are found.
func usableBy(contact string) among {
	return among{givenCodes, `EXISTS (SELECT 1 FROM assignment a WHERE a.batch_id = c.batch_id AND a.pos = c.pos AND a.returned_at IS NULL
		AND (a.single_use OR NOT a.single_use) AND (a.contact_id IS NULL AND $3 = '' OR a.contact_id IN (SELECT other.id FROM contact asks
			JOIN contact other ON coalesce(asks.merged_into, asks.id) IN (other.id, other.merged_into) WHERE asks.id = $3)) OFFSET 0)`, contact}
}

// heldUnder are the codes that a checkout may be told of by the reference of its
// hold, which only somebody who was told of the code can have set.
func heldUnder(reference string) among {
	return among{givenCodes, `EXISTS (SELECT 1 FROM hold h WHERE h.batch_id = c.batch_id AND h.pos = c.pos AND h.reference = $3 OFFSET 0)`, reference}
}

func findCodeAmong(ctx context.Context, q Querier, among among, realm, code, lock string) (*codeRow, error) {
	c, knows, err := readCode(ctx, q, among, realm, code, lock)
	if err == nil && !knows {
		// What a coupon says is known by its text alone.
		var doc *campaign.Coupon
		if doc, err = couponDocument(c.sum, c.source); err == nil && doc.Redeemable == "holder" {
			err = fmt.Errorf("looking up a code: %w", ErrNotFound)
		}
	}
	return c, err
}

// readCode finds a code among some, and what it is asked of the one that it finds.
func readCode(ctx context.Context, q Querier, among among, realm, code, lock string) (c *codeRow, knows bool, err error) {
	in := ` AND realm IN ($2, '')`
	if realm == "" || realm == ConnectionAPI || realm == ConnectionScrip {
		in = ""
	}
	c = &codeRow{}
	var validUntil *time.Time
	// The code comes first, and by itself: from its coupon, a plan made of old statistics
	// might go through all of the coupon's codes.
	err = q.QueryRow(ctx, `WITH c AS MATERIALIZED (SELECT * FROM code WHERE code_norm = $1`+in+lock+`)
		SELECT c.batch_id, c.pos, c.realm, c.code, c.state, b.coupon_id, cp.pool, b.child_set, b.kind,
			coalesce(b.import_id, ''), b.valid_until, cp.sha256, cp.source, `+among.knows+`
		FROM c JOIN batch b ON b.id = c.batch_id JOIN coupon cp ON cp.id = b.coupon_id
		WHERE true`+among.where+`
		ORDER BY c.realm = $2 DESC, c.realm DESC LIMIT 1`, event.NormaliseCode(code), realm, among.who).
		Scan(&c.batchID, &c.pos, &c.realm, &c.code, &c.state, &c.couponID, &c.pool, &c.set, &c.kind, &c.importID, &validUntil, &c.sum, &c.source, &knows)
	if err != nil {
		return nil, false, fmt.Errorf("looking up a code: %w", notFound(err))
	}
	c.validUntil = orZero(validUntil)
	return c, knows, nil
}
