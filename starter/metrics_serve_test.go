package starter

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/store"
)

func TestWorkerHandler_IsAliveWhileItWaitsAndReadyOnlyWithBoth(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), dispatchDatabase.URL(t), 2)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	handler := workerHandler(NewMetrics(), s, nil)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/healthz": {http.StatusOK, `"ok"`},
		"/readyz":  {http.StatusServiceUnavailable, `"temporal","ok":false`},
		"/metrics": {http.StatusOK, "go_goroutines"},
		"/nothing": {http.StatusNotFound, "no_such_route"},
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, want.status, answer.Code, path)
		require.Contains(t, answer.Body.String(), want.text, path)
	}
}
