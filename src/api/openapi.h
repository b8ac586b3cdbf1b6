/* openapi – the description of everything served (OpenAPI 3.1), made of the table of routes and
 * of the schemas in the files of api/schema.
 *
 * A schema belongs to an operation by its name: GetCampaignResponse is what GetCampaign
 * answers, GetCampaignRequest its body, the properties of GetCampaignQuery its query
 * parameters. */
#pragma once
#include "base/str.h"

/* The whole document as JSON; owned: buf_free().  The schemas are part of the program, so it
 * does not fail. */
struct buf openapi_document(void);
