package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/event"
)

// States of a coupon.
const (
	CouponActive   = "active"
	CouponInactive = "inactive" // nothing is claimed or redeemed through Scrip any more
)

// CouponRow is a coupon as it stands now.
type CouponRow struct {
	ID         int64
	Name       string
	Doc        *campaign.Coupon // shared by all readers: never changed
	Pool       string           // campaign.PoolShared …
	Realm      string           // the shop connection whose codes these are; "" any
	State      string           // CouponActive or CouponInactive
	ExternalID string           // the discount's id in the shop; "" until it is made there

	sum      []byte // of the document
	waiters  int
	assigned int64
	full     bool // its uses or its budget are spent
}

// SplitCoupon takes "name/set" apart; set is "" where only the name is written.
func SplitCoupon(reference string) (name, set string) {
	name, set, _ = strings.Cut(reference, "/")
	return name, set
}

// couponDocuments keeps parsed documents by the hash of their source, so that a
// change of the row is seen at once and parsing happens once a version.
var couponDocuments sync.Map // [32]byte -> *campaign.Coupon

func couponDocument(sum []byte, source string) (*campaign.Coupon, error) {
	key := [32]byte(sum)
	if doc, ok := couponDocuments.Load(key); ok {
		return doc.(*campaign.Coupon), nil
	}
	file, problems := campaign.Parse("coupon", []byte(source))
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("reading the stored document: %w", err)
	}
	if len(file.Coupons) != 1 {
		return nil, errors.New("reading the stored document: it holds no coupon; apply the coupon again")
	}
	couponDocuments.Store(key, file.Coupons[0])
	return file.Coupons[0], nil
}

const couponColumns = `coupon.id, coupon.name, coupon.pool, coupon.realm, coupon.state, coupon.external_id, coupon.waiters, coupon.assigned,
	EXISTS (SELECT 1 FROM coupon_use u WHERE u.coupon_id = coupon.id AND u.limit_reached_at IS NOT NULL), coupon.sha256, coupon.source`

func scanCoupon(row pgx.Row) (*CouponRow, error) {
	var c CouponRow
	var source string
	err := row.Scan(&c.ID, &c.Name, &c.Pool, &c.Realm, &c.State, &c.ExternalID, &c.waiters, &c.assigned, &c.full, &c.sum, &source)
	if err != nil {
		return nil, notFound(err)
	}
	c.Doc, err = couponDocument(c.sum, source)
	return &c, err
}

// Coupon gives a coupon by its name. The error wraps ErrNotFound where there is
// none.
func (s *Store) Coupon(ctx context.Context, q Querier, name string) (*CouponRow, error) {
	c, err := scanCoupon(q.QueryRow(ctx, `SELECT `+couponColumns+` FROM coupon WHERE name = $1`, name))
	if err != nil {
		return nil, fmt.Errorf("loading coupon %s: %w", name, err)
	}
	return c, nil
}

// Whoever uses a code keeps its coupon's document as it is until the transaction ends,
// and whoever changes the document waits for the uses under way: they are counted by
// what the document bounds. Many uses don't wait for each other.
const (
	keepDocument   = `SELECT pg_advisory_xact_lock_shared(hashtext('scrip.coupon'), $1::bigint::int)`
	changeDocument = `SELECT pg_advisory_xact_lock(hashtext('scrip.coupon'), id::int) FROM coupon WHERE name = $1 AND sha256 <> $2`
)

// lockCoupon keeps claims, imports and returns of a coupon out until the
// transaction ends. Every transaction takes its coupon's lock before it touches
// assignments and batches; that order keeps them from deadlocking. Before it comes
// keepDocument, as a code of the coupon may be used in the same transaction.
func lockCoupon(ctx context.Context, q Querier, id int64) (*CouponRow, error) {
	if err := laterOne(ctx, q, "keeping a coupon as it is", keepDocument, id); err != nil {
		return nil, err
	}
	c, err := scanCoupon(q.QueryRow(ctx, `SELECT `+couponColumns+` FROM coupon WHERE id = $1 FOR NO KEY UPDATE OF coupon`, id))
	if err != nil {
		return nil, fmt.Errorf("locking a coupon: %w", err)
	}
	return c, nil
}

// ErrPoolChanged says that a coupon cannot take its codes from elsewhere once it
// has given some.
var ErrPoolChanged = errors.New("the pool of a coupon in use cannot change its kind; give the new offer a new name")

// ErrCodeTaken says that another coupon of the same shop has the code already.
var ErrCodeTaken = errors.New("the code belongs to another coupon")

// ApplyCoupon writes a coupon document; changed is false where it stands there
// already. The kind of pool may change only while no code exists. Run it in a
// transaction.
func (s *Store) ApplyCoupon(ctx context.Context, q Querier, doc *campaign.Coupon) (changed bool, err error) {
	fail := func(err error) (bool, error) { return false, fmt.Errorf("applying coupon %s: %w", doc.Name, err) }
	sum := sha256.Sum256([]byte(doc.Source))
	if _, err := couponDocument(sum[:], doc.Source); err != nil {
		return fail(err)
	}
	var id int64
	err = q.QueryRow(ctx, `INSERT INTO coupon (name, source, sha256, pool, realm) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO NOTHING RETURNING id`, doc.Name, doc.Source, sum[:], doc.Pool, doc.Connection).Scan(&id)
	switch {
	case err == nil:
		changed = true
	case errors.Is(err, pgx.ErrNoRows):
		if id, changed, err = s.changeCoupon(ctx, q, doc, sum[:]); err != nil {
			return fail(err)
		}
	default:
		return fail(err)
	}
	if _, err := q.Exec(ctx, `INSERT INTO coupon_use (coupon_id) VALUES ($1) ON CONFLICT DO NOTHING`, id); err != nil {
		return fail(err)
	}
	if doc.Pool != campaign.PoolList {
		if _, err := q.Exec(ctx, `INSERT INTO batch (coupon_id, kind) SELECT $1, 'made'
			WHERE NOT EXISTS (SELECT 1 FROM batch WHERE coupon_id = $1 AND kind = 'made')`, id); err != nil {
			return fail(err)
		}
	}
	if doc.Pool == campaign.PoolShared {
		if err := shareCode(ctx, q, id, doc); err != nil {
			return fail(err)
		}
	}
	return changed, nil
}

func (s *Store) changeCoupon(ctx context.Context, q Querier, doc *campaign.Coupon, sum []byte) (id int64, changed bool, err error) {
	if _, err := q.Exec(ctx, changeDocument, doc.Name, sum); err != nil {
		return 0, false, err
	}
	var pool, realm string
	var inUse, same bool
	err = q.QueryRow(ctx, `SELECT id, pool, realm, sha256 = $2,
			EXISTS (SELECT 1 FROM code c JOIN batch b ON b.id = c.batch_id WHERE b.coupon_id = coupon.id OFFSET 0)
		FROM coupon WHERE name = $1 FOR NO KEY UPDATE`, doc.Name, sum).Scan(&id, &pool, &realm, &same, &inUse)
	if err != nil || same {
		return id, false, err
	}
	if inUse && (pool != doc.Pool || realm != doc.Connection) {
		return 0, false, ErrPoolChanged
	}
	// What was counted and told under the old document is looked at anew: the
	// total bounds codes that are out already, and a later end expires again. Codes
	// that a shop has keep the terms that their holders were told; the next ones
	// are made under a discount with the new terms.
	_, err = q.Exec(ctx, `UPDATE coupon SET source = $2, sha256 = $3, pool = $4, realm = $5, updated_at = now(), expired_at = NULL, external_id = '',
			assigned = CASE WHEN $6 THEN (SELECT count(*) FROM assignment a WHERE a.coupon_id = coupon.id AND a.returned_at IS NULL) ELSE 0 END
		WHERE id = $1`, id, doc.Source, sum, doc.Pool, doc.Connection, doc.Limits.Total > 0)
	if err != nil {
		return 0, false, err
	}
	caps := capsOf(doc)
	_, err = q.Exec(ctx, `WITH counted AS (DELETE FROM coupon_use_part WHERE coupon_id = $1 RETURNING uses, spent),
			before AS (SELECT coalesce(sum(uses), 0)::bigint AS uses, coalesce(sum(spent), 0) AS spent FROM counted)
		UPDATE coupon_use u SET uses = u.uses + b.uses, spent = u.spent + b.spent, limit_reached_at = CASE
			WHEN ($2::bigint > 0 AND u.uses + b.uses >= $2) OR ($3::numeric > 0 AND u.spent + b.spent >= $3) THEN coalesce(limit_reached_at, now()) END
		FROM before b WHERE coupon_id = $1`, id, caps.uses, caps.budget)
	return id, true, err
}

// shareCode makes the one code of a shared coupon. A coupon whose code changes
// keeps the old one for those who hold it.
func shareCode(ctx context.Context, q Querier, couponID int64, doc *campaign.Coupon) error {
	norm := event.NormaliseCode(doc.Code)
	_, err := q.Exec(ctx, `INSERT INTO code (batch_id, pos, realm, code, code_norm)
		SELECT id, nextval('code_pos'), $2, $3, $4 FROM batch WHERE coupon_id = $1 AND kind = 'made'
		ON CONFLICT (realm, code_norm) DO NOTHING`, couponID, doc.Connection, doc.Code, norm)
	if err != nil {
		return fmt.Errorf("making its code: %w", err)
	}
	var owner int64
	err = q.QueryRow(ctx, `SELECT b.coupon_id FROM code c JOIN batch b ON b.id = c.batch_id WHERE c.realm = $1 AND c.code_norm = $2`,
		doc.Connection, norm).Scan(&owner)
	if err != nil {
		return fmt.Errorf("looking up its code: %w", err)
	}
	if owner != couponID {
		return ErrCodeTaken
	}
	return nil
}

// SetCouponDiscount records the discount in the shop under which the coupon's next
// codes are made; with "" the next code makes one. It does nothing where the coupon
// has changed, or has another discount, since the offer was read.
func (s *Store) SetCouponDiscount(ctx context.Context, q Querier, offer ShopOffer, externalID string) error {
	_, err := q.Exec(ctx, `UPDATE coupon SET external_id = $2 WHERE name = $1 AND external_id = $3 AND sha256 = $4`,
		offer.Coupon, externalID, offer.ExternalID, offer.sum)
	if err != nil {
		return fmt.Errorf("recording the discount of coupon %s: %w", offer.Coupon, err)
	}
	return nil
}

// SetCouponState switches a coupon on or off.
func (s *Store) SetCouponState(ctx context.Context, q Querier, name, state string) error {
	return s.changeOneCoupon(ctx, q, name, `UPDATE coupon SET state = $2, updated_at = now() WHERE name = $1`, state)
}

func (s *Store) changeOneCoupon(ctx context.Context, q Querier, name, sql, value string) error {
	tag, err := q.Exec(ctx, sql, name, value)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("changing coupon %s: %w", name, err)
	}
	return nil
}
