package sandbox_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFraud_ScoresTheReviewsThatItKnows(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for asked, want := range map[string]struct {
		status int
		body   string
	}{
		`{"contact":"ct_1","review":"r1-risk-15"}`: {http.StatusOK, `{"risk":0.15}`},
		`{"contact":"ct_1","review":"r1"}`:         {http.StatusNotFound, `{"error":"there is no such review"}`},
		`{`:                                        {http.StatusBadRequest, `{"error":"the body isn't JSON"}`},
	} {
		res, err := http.Post(h.base+"/sandbox/api/fraud/v1/score", "application/json", strings.NewReader(asked))
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		require.NoError(t, err)
		require.Equal(t, want.status, res.StatusCode)
		require.JSONEq(t, want.body, string(body))
	}
}
