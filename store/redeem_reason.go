package store

import (
	"time"

	"github.com/shopspring/decimal"

	"scrip.dev/scrip/campaign"
)

// Reason is why a code is refused.
type Reason string

// Reasons, in the order in which they are looked for: the first that holds is
// given. What is wrong with the code itself comes before what is wrong with who
// asks and what they buy, and that before the offer's caps.
const (
	ReasonNotFound     Reason = "not_found"         // no such code in this shop, or nobody was given it
	ReasonInactive     Reason = "inactive"          // withdrawn, or its coupon is switched off
	ReasonNotYetValid  Reason = "not_yet_valid"     // before the coupon's valid_from
	ReasonExpired      Reason = "expired"           //
	ReasonUsed         Reason = "used"              // a code for one use, and it was used
	ReasonHeld         Reason = "held"              // set aside at another checkout
	ReasonNotHolder    Reason = "not_holder"        // redeemable_by: holder, and this is somebody else; only a flag, as below
	ReasonMinOrder     Reason = "min_order"         // the order is too small
	ReasonPerContact   Reason = "per_contact_limit" // this contact has used the coupon as often as it may
	ReasonLimitReached Reason = "limit_reached"     // all uses are taken, or set aside
	ReasonBudget       Reason = "budget"            // the discount does not fit into what is left
)

// reasonNotGiven flags a use of a code that nobody was given. To a shop that asks
// it is unknown.
const reasonNotGiven Reason = "not_given"

// public is what who asks is told. That there is a code which isn't theirs is not:
// else codes could be found by trying, and used in somebody's name.
func (r Reason) public() Reason {
	if r == reasonNotGiven || r == ReasonNotHolder {
		return ReasonNotFound
	}
	return r
}

// Refused is the error of a code that must not be used.
type Refused struct{ Reason Reason }

func (r *Refused) Error() string { return "the code is refused: " + string(r.Reason) }

// caps are a coupon's bounds on use; zero is unlimited.
type caps struct {
	uses       int64
	perContact int
	budget     decimal.Decimal
}

func capsOf(doc *campaign.Coupon) caps {
	c := caps{uses: int64(doc.Limits.Total), perContact: doc.Limits.PerContact, budget: doc.Limits.Budget}
	if m := int64(doc.MaxUses); m > 0 && (c.uses == 0 || m < c.uses) {
		c.uses = m
	}
	return c
}

// any says whether there is a bound at all.
func (c caps) any() bool { return c.uses > 0 || c.perContact > 0 || c.budget.IsPositive() }

// reached says whether nothing more fits.
func (c caps) reached(uses int64, spent decimal.Decimal) bool {
	return c.uses > 0 && uses >= c.uses || c.budget.IsPositive() && spent.GreaterThanOrEqual(c.budget)
}

// standing is all that a verdict on a use looks at.
type standing struct {
	code        *codeRow
	doc         *campaign.Coupon
	coupon      *CouponRow
	holder      *Assignment // nil: nobody, or nobody in particular
	order       *Redemption // of the code in the use's order; nil: none
	buyer       string      // the contact that buys, by its present id; "" unknown
	uses        int64       // of the coupon; exact where it is bounded
	spent       decimal.Decimal
	setAside    int64 // uses held at other checkouts
	codeUses    int64 // of a code for one use
	codeHeld    bool  // a code for one use, held at another checkout
	contactUses int   // read where they are bounded
	limitTold   bool
}

func (st *standing) singleUse() bool { return st.code.pool != campaign.PoolShared }

// expires gives the real moment at which the code ends; the zero time for none.
func (st *standing) expires(use Use) time.Time {
	if st.holder != nil {
		return st.holder.ExpiresAt
	}
	// Without a claim there is nothing that valid_for could count from.
	offer := *st.coupon.Doc
	offer.ValidFor = 0
	return Claim{Clock: use.Clock, Zone: use.Zone}.expiry(&offer, use.At)
}

// refuse gives the first reason against a use, or "". final says that it is the
// use itself: then the order has to be known where it has a minimum.
func (st *standing) refuse(use Use, final bool) Reason {
	doc, limits := st.coupon.Doc, capsOf(st.coupon.Doc)
	var discount decimal.Decimal
	if use.Order != nil {
		discount = use.Order.Discount
	}
	contact := st.contact()
	expires := st.expires(use)
	switch {
	case st.singleUse() && st.holder == nil:
		return reasonNotGiven
	case st.code.state == "withdrawn", st.coupon.State != CouponActive,
		st.holder != nil && (st.holder.State == AssignmentWithdrawn || st.holder.State == AssignmentReturned):
		return ReasonInactive
	case st.early(use):
		return ReasonNotYetValid
	case !expires.IsZero() && use.At.After(expires):
		return ReasonExpired
	case st.singleUse() && st.codeUses > 0:
		return ReasonUsed
	case st.codeHeld:
		return ReasonHeld
	case doc.Redeemable == "holder" && (st.holder == nil || st.holder.ContactID != st.buyer):
		return ReasonNotHolder
	case doc.Limits.MinOrder.IsPositive() && tooSmall(use, doc.Limits.MinOrder, final):
		return ReasonMinOrder
	case limits.perContact > 0 && contact != "" && st.contactUses >= limits.perContact:
		return ReasonPerContact
	case limits.uses > 0 && st.uses+st.setAside >= limits.uses:
		return ReasonLimitReached
	case limits.budget.IsPositive() && (st.spent.GreaterThanOrEqual(limits.budget) || st.spent.Add(discount).GreaterThan(limits.budget)):
		return ReasonBudget
	}
	return ""
}

func (st *standing) early(use Use) bool {
	from, ok := campaign.ValidFromOf(*st.coupon.Doc, use.Zone)
	return ok && use.Clock.Virtual(use.At).Before(from)
}

// contact is on whose account the use goes: the buyer's, else the holder's.
func (st *standing) contact() string {
	if st.buyer == "" && st.holder != nil {
		return st.holder.ContactID
	}
	return st.buyer
}

// tooSmall compares what the order would cost without the discount.
func tooSmall(use Use, least decimal.Decimal, final bool) bool {
	if use.Order == nil {
		return final
	}
	return use.Order.Total.Add(use.Order.Discount).LessThan(least)
}
