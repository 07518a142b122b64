package sandbox

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
)

// scored is a review whose id ends with its risk in per cent.
var scored = regexp.MustCompile(`-risk-(\d\d)$`)

// fraudRoutes are those of another system, which scores reviews for the example
// project: r1-risk-15 has a risk of 0.15. It knows no other review.
func (s *Sandbox) fraudRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /sandbox/api/fraud/v1/score", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Review string }
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&asked); err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": "the body isn't JSON"})
			return
		}
		found := scored.FindStringSubmatch(asked.Review)
		if found == nil {
			writeJSON(w, http.StatusNotFound, map[string]string{"error": "there is no such review"})
			return
		}
		percent, _ := strconv.ParseFloat(found[1], 64) // two digits
		writeJSON(w, http.StatusOK, map[string]float64{"risk": percent / 100})
	})
}
