package starter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"scrip.dev/scrip/campaign"
	"scrip.dev/scrip/store"
)

type couponStats struct {
	Coupon    string           `json:"coupon"`
	Available int64            `json:"available" doc:"codes that can still be given"`
	Unlimited bool             `json:"unlimited" doc:"there is no end to them"`
	Assigned  int64            `json:"assigned" doc:"given and not returned; the states below are parts of it"`
	Held      int64            `json:"held" doc:"seen by nobody yet"`
	Exposed   int64            `json:"exposed"`
	Applied   int64            `json:"applied"`
	Redeemed  int64            `json:"redeemed"`
	Expired   int64            `json:"expired"`
	Withdrawn int64            `json:"withdrawn"`
	Returned  int64            `json:"returned" doc:"went back unseen"`
	Waiting   int64            `json:"waiting" doc:"journeys in line for a refill"`
	Uses      int64            `json:"uses" doc:"redemptions that stand"`
	Spent     string           `json:"spent" doc:"discounts given"`
	Sets      map[string]int64 `json:"sets,omitempty" doc:"available codes by child set"`
}

func couponStatsOf(name string, s store.Stats) couponStats {
	return couponStats{name, s.Available, s.Unlimited, s.Assigned, s.Held, s.Exposed, s.Applied, s.Redeemed, s.Expired, s.Withdrawn,
		s.Returned, s.Waiting, s.Uses, s.Spent.String(), s.Sets}
}

// codeFormats tells by the Content-Type how codes are written.
var codeFormats = map[string]string{
	"text/csv": store.ImportCSV, "application/json": store.ImportJSON, "application/x-ndjson": store.ImportJSON, "text/plain": store.ImportLines,
}

type importInput struct {
	CouponName
	Upload
	Set        string `query:"set" maxLength:"64" doc:"child set of rows that name none"`
	ValidUntil string `query:"valid_until" maxLength:"20" example:"2027-01-31" doc:"of rows that have no expiry: to the end of that day"`
	Code       string `query:"code_column" maxLength:"100" doc:"column or key of the code; default: code"`
	Expires    string `query:"expires_column" maxLength:"100" doc:"default: expires_at or expirationDate"`
	Used       string `query:"used_column" maxLength:"100" doc:"default: used or inUse"`
	SetColumn  string `query:"set_column" maxLength:"100" doc:"default: set"`
}

func (a *api) importRoute() {
	add := creates(describe(op(http.MethodPost, "/v1/coupons/{name}/codes", "import-codes", "Coupons", "Add codes to a coupon's list"),
		"CSV with a header line (text/csv), JSON strings or objects (application/json, application/x-ndjson), or a code a line (text/plain). What is new is added; duplicates, malformed and used lines are reported by number and the rest is kept. The same file again goes on where it broke off."), http.StatusOK)
	handleUpload(a, store.ScopeWrite, add, []string{"text/csv", "application/json", "application/x-ndjson", "text/plain"}, func(ctx context.Context, in *importInput) (*answer[store.ImportReport], error) {
		request := store.ImportCodes{Coupon: in.Name, Set: in.Set, Zone: a.Config.Zone(), Format: codeFormats[in.kind],
			Mapping: store.ImportMapping{Code: in.Code, ExpiresAt: in.Expires, Used: in.Used, Set: in.SetColumn}}
		if request.Format == "" {
			return nil, problem(http.StatusUnsupportedMediaType, "unsupported_media_type", "send text/csv, application/json, application/x-ndjson or text/plain as the Content-Type")
		}
		if in.ValidUntil != "" {
			day, err := time.ParseInLocation(time.DateOnly, in.ValidUntil, request.Zone)
			if err != nil {
				return nil, problem(http.StatusUnprocessableEntity, "invalid_request", "valid_until is a date such as 2027-01-31")
			}
			request.ValidUntil = day.AddDate(0, 0, 1).Add(-time.Second)
		}
		report, err := a.Store.ImportCodes(ctx, request, in.reader, nil)
		if err != nil {
			return nil, importProblem(err)
		}
		if report.Problems == nil {
			report.Problems = []store.ImportProblem{}
		}
		if err := store.Audit(ctx, a.Store.Pool, actor(ctx), "codes.import", in.Name, map[string]any{"import": report.ID, "added": report.Added}); err != nil {
			return nil, err
		}
		return reply(report)
	})
}

// importProblem tells what stopped an import as a whole.
func importProblem(err error) error {
	var unreadable *store.FileError
	switch {
	case errors.As(err, &unreadable):
		return fileProblem(unreadable)
	case errors.Is(err, store.ErrImportRunning):
		return problem(http.StatusConflict, "import_running", "%s", store.ErrImportRunning)
	case errors.Is(err, store.ErrNotAList):
		return problem(http.StatusConflict, "not_a_list", "%s", store.ErrNotAList)
	case errors.Is(err, store.ErrNoSet):
		return problem(http.StatusUnprocessableEntity, "no_such_set", "%s", store.ErrNoSet)
	case errors.Is(err, store.ErrTooManyBatches):
		return problem(http.StatusUnprocessableEntity, "too_many_batches", "%s", store.ErrTooManyBatches)
	}
	return err
}

// fileProblem tells what is wrong with the file, or with its way here.
func fileProblem(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		known := frameworkCodes[http.StatusRequestEntityTooLarge]
		return problem(http.StatusRequestEntityTooLarge, known.code, "%s; what came before is imported", known.detail)
	case errors.Is(err, os.ErrDeadlineExceeded):
		slow := brokenBody(err)
		return problem(slow.Status, slow.Code, "%s; what came before is imported", slow.Detail)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return problem(http.StatusUnprocessableEntity, "unreadable_file", "the file breaks off in the middle; what came before is imported, and importing the whole file adds the rest")
	}
	return problem(http.StatusUnprocessableEntity, "unreadable_file", "%s", rootOf(err))
}

// rootOf is the innermost error: what was found, without what was being done.
func rootOf(err error) error {
	for {
		switch wrapped := err.(type) {
		case interface{ Unwrap() error }:
			if wrapped.Unwrap() == nil {
				return err
			}
			err = wrapped.Unwrap()
		case interface{ Unwrap() []error }:
			err = wrapped.Unwrap()[0]
		default:
			return err
		}
	}
}

// sampleExpiry is when the code of a preview ends.
func sampleExpiry(clock campaign.Clock) time.Time {
	return clock.Virtual(time.Now()).AddDate(0, 0, 7)
}
