/* metrics: what daemons tell, for node_exporter's textfile collector. Pure. */
#ifndef ADL_METRICS_H
#define ADL_METRICS_H

#include <jansson.h>
#include <stdio.h>

/* The metrics of mounts (an array of answers to "status"), in the text format of Prometheus. */
void adl_metrics_write(const json_t *answers, FILE *out);

#endif
