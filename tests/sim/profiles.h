/* profiles: the links that the policy must suit. */
#ifndef SIM_PROFILES_H
#define SIM_PROFILES_H

#include "fixed.h"
#include "net.h"

struct sim_profile {
    const char *name;
    struct sim_net net;
    unsigned mirrors;
    struct sim_fixed best; /* the fixed setting that was found best; see sim.c */
    double worst;          /* at most so many times what that takes; 0: 1.3 */
    double worst_mib;      /* the first MiB takes at most so many times what it does alone; 0: that
                              is not looked at */
};

extern const struct sim_profile sim_profiles[];
extern const size_t sim_n_profiles;

#endif
