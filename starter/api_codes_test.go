package starter_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

func TestCodes_AreImportedAssignedHeldRedeemedAndRolledBack(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	var report store.ImportReport
	s.ok("POST", "/v1/coupons/ten/codes", "A1\nA2\nA1\nnot a code\n").into(t, &report)
	require.EqualValues(t, 2, report.Added)
	require.Len(t, report.Problems, 2)
	require.Equal(t, "unsupported_media_type", s.do("POST", "/v1/coupons/ten/codes", "A9", "Content-Type", "text/html").code(t))
	require.Equal(t, "not_a_list", s.do("POST", "/v1/coupons/all/codes", "A9\n").code(t))

	var given struct{ Code, Contact string }
	s.ok("POST", "/v1/coupons/ten/assign", map[string]any{"email": "anna@example.com"}).into(t, &given)
	require.NotEmpty(t, given.Contact)
	path := "/v1/codes/" + given.Code
	var valid struct {
		Valid  bool
		Reason string
	}
	s.ok("GET", path+"/validate", nil).into(t, &valid)
	require.True(t, valid.Valid)
	s.ok("GET", "/v1/codes/NOPE/validate", nil).into(t, &valid)
	require.Equal(t, "not_found", valid.Reason)

	s.ok("POST", path+"/hold", map[string]any{"reference": "cart-1"})
	require.Equal(t, "held", s.do("POST", path+"/hold", map[string]any{"reference": "cart-2"}).code(t))
	order := map[string]any{"order": map[string]any{"id": "1001", "total": "49.90", "discount": "4.99", "currency": "EUR"}, "reference": "cart-1"}
	var used struct{ ID, Total string }
	first := s.ok("POST", path+"/redeem", order)
	first.into(t, &used)
	require.Equal(t, "49.9", used.Total)
	require.JSONEq(t, string(first.body), string(s.ok("POST", path+"/redeem", order).body), "the same order is the same redemption")
	order["order"] = map[string]any{"id": "1002"}
	refused := s.do("POST", path+"/redeem", order)
	require.Equal(t, http.StatusConflict, refused.status)
	require.Equal(t, "used", refused.code(t))
	require.Contains(t, string(s.ok("POST", path+"/rollback", map[string]any{"order": "1001"}).body), used.ID)
	var history struct {
		State       string
		Redemptions []struct{ State string }
	}
	s.ok("GET", path, nil).into(t, &history)
	require.Equal(t, "rolled_back", history.Redemptions[0].State)
	s.ok("POST", path+"/withdraw", nil)
	s.ok("GET", path+"/validate", nil).into(t, &valid)
	require.False(t, valid.Valid)
	require.Equal(t, "inactive", valid.Reason)

	s.ok("POST", "/v1/coupons/ten/assign", map[string]any{})
	require.Equal(t, "coupon_empty", s.do("POST", "/v1/coupons/ten/assign", map[string]any{}).code(t))
	var stats struct{ Available, Assigned int64 }
	s.ok("GET", "/v1/coupons/ten/stats", nil).into(t, &stats)
	require.Zero(t, stats.Available)
	require.EqualValues(t, 2, stats.Assigned)
}

func TestCodes_GuessingIsStoppedAndAskingForRealOnesIsNot(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.apply()
	for range 100 {
		s.ok("GET", "/v1/codes/ALL5/validate", nil)
	}
	for i := range 30 {
		s.ok("GET", fmt.Sprintf("/v1/codes/GUESS%d/validate", i), nil)
	}
	blocked := s.do("GET", "/v1/codes/ALL5", nil)
	require.Equal(t, "too_many_unknown_codes", blocked.code(t))
	require.NotEmpty(t, blocked.header.Get("Retry-After"))
}
