//! The kinds that dns-update brings, from A to H.

use std::collections::HashMap;

use dns_update::{
    DnsUpdater,
    providers::{
        azuredns::{AzureDnsConfig, AzureEnvironment},
        bluecatv2::BluecatV2Config,
        edgedns::EdgeDnsConfig,
        google_cloud_dns::GoogleCloudDnsConfig,
    },
};

use super::{Kind, TTL, optional, optional_secret, required, secret, single, update};
use crate::{call::REQUEST, options::Problem};

/// The kinds, by name.
pub(super) const KINDS: &[Kind] = &[
    update(
        "alidns",
        "Alibaba Cloud DNS",
        &[
            required("access_key", "access key id"),
            secret("secret_key", "access key secret"),
            optional("region", "region"),
            optional_secret("security_token", "STS token"),
            optional("line", "resolution line"),
        ],
        600,
        |o| {
            Ok(DnsUpdater::new_alidns(
                o.get("access_key"),
                o.get("secret_key"),
                o.opt("region"),
                o.opt("security_token"),
                o.opt("line"),
                REQUEST,
            )?)
        },
    ),
    update(
        "arvancloud",
        "ArvanCloud",
        &[secret("api_key", "API key")],
        600,
        |o| Ok(DnsUpdater::new_arvancloud(o.get("api_key"), REQUEST)?),
    ),
    update(
        "autodns",
        "InterNetX AutoDNS",
        &[
            required("username", "user name"),
            secret("password", "password"),
            optional("context", "context number"),
        ],
        600,
        |o| {
            let (user, password) = (o.get("username"), o.get("password"));
            let context = o.parse("context")?;
            Ok(DnsUpdater::new_autodns(user, password, context, REQUEST)?)
        },
    ),
    update(
        "azuredns",
        "Azure DNS",
        &[
            required("tenant_id", "tenant id"),
            required("client_id", "client id of the service principal"),
            secret("client_secret", "client secret"),
            required("subscription_id", "subscription id"),
            required("resource_group", "resource group of the zone"),
            optional("environment", "public (default), china or usgovernment"),
        ],
        TTL,
        |o| {
            let environment = match o.opt("environment") {
                None | Some("public") => AzureEnvironment::Public,
                Some("china") => AzureEnvironment::China,
                Some("usgovernment") => AzureEnvironment::UsGovernment,
                Some(_) => {
                    let problem = "the option environment is none of public, china, usgovernment";
                    return Err(Problem(problem.to_owned()));
                }
            };
            Ok(DnsUpdater::new_azuredns(AzureDnsConfig {
                tenant_id: o.get("tenant_id").to_owned(),
                client_id: o.get("client_id").to_owned(),
                client_secret: o.get("client_secret").to_owned(),
                subscription_id: o.get("subscription_id").to_owned(),
                resource_group: o.get("resource_group").to_owned(),
                environment,
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "baiducloud",
        "Baidu Cloud DNS",
        &[
            required("access_key", "access key id"),
            secret("secret_key", "access key secret"),
        ],
        300,
        |o| {
            let (access, key) = (o.get("access_key"), o.get("secret_key"));
            Ok(DnsUpdater::new_baiducloud(access, key, REQUEST)?)
        },
    ),
    update(
        "bluecatv2",
        "BlueCat Address Manager v2",
        &[
            required("server_url", "URL of the Address Manager"),
            required("username", "user name"),
            secret("password", "password"),
            required("config_name", "configuration name"),
            required("view_name", "view name"),
            optional("skip_deploy", "true: do not deploy after a change"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_bluecatv2(BluecatV2Config {
                server_url: o.get("server_url").to_owned(),
                username: o.get("username").to_owned(),
                password: o.get("password").to_owned(),
                config_name: o.get("config_name").to_owned(),
                view_name: o.get("view_name").to_owned(),
                skip_deploy: o.flag("skip_deploy")?,
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "bunny",
        "Bunny DNS",
        &[secret("api_key", "API key")],
        TTL,
        |o| Ok(DnsUpdater::new_bunny(o.get("api_key"), REQUEST)?),
    ),
    update(
        "cloudflare",
        "Cloudflare",
        &[secret(
            "token",
            "API token with the permissions Zone:Read and DNS:Edit",
        )],
        TTL,
        |o| Ok(DnsUpdater::new_cloudflare(o.get("token"), REQUEST)?),
    ),
    update(
        "cloudns",
        "ClouDNS",
        &[
            optional("auth_id", "API user id; this or sub_auth_id"),
            optional("sub_auth_id", "API sub-user id; this or auth_id"),
            secret("auth_password", "API password"),
        ],
        60,
        |o| {
            let (user, sub_user) = (o.opt("auth_id"), o.opt("sub_auth_id"));
            let password = o.get("auth_password");
            Ok(DnsUpdater::new_cloudns(user, sub_user, password, REQUEST)?)
        },
    ),
    update(
        "constellix",
        "Constellix",
        &[
            secret("api_key", "API key"),
            secret("secret_key", "secret key"),
        ],
        TTL,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("secret_key"));
            Ok(DnsUpdater::new_constellix(key, secret, REQUEST)?)
        },
    ),
    update(
        "cpanel",
        "cPanel",
        &[
            required("base_url", "URL of the server, with its port"),
            required("username", "user name"),
            secret("token", "API token"),
        ],
        300,
        |o| {
            let (url, user, token) = (o.get("base_url"), o.get("username"), o.get("token"));
            Ok(DnsUpdater::new_cpanel(url, user, token, REQUEST)?)
        },
    ),
    single("ddnss", "DDNSS.de", &[secret("key", "update key")], |o| {
        Ok(DnsUpdater::new_ddnss(o.get("key"), REQUEST)?)
    }),
    update(
        "desec",
        "deSEC",
        &[secret("token", "API token")],
        3600,
        |o| Ok(DnsUpdater::new_desec(o.get("token"), REQUEST)?),
    ),
    update(
        "digitalocean",
        "DigitalOcean",
        &[secret("token", "API token")],
        30,
        |o| Ok(DnsUpdater::new_digitalocean(o.get("token"), REQUEST)?),
    ),
    update(
        "dnsimple",
        "DNSimple",
        &[
            secret("token", "API access token"),
            required("account_id", "account id"),
        ],
        TTL,
        |o| {
            let (token, account) = (o.get("token"), o.get("account_id"));
            Ok(DnsUpdater::new_dnsimple(token, account, REQUEST)?)
        },
    ),
    update(
        "dnsmadeeasy",
        "DNS Made Easy",
        &[
            secret("api_key", "API key"),
            secret("api_secret", "API secret"),
        ],
        TTL,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("api_secret"));
            Ok(DnsUpdater::new_dnsmadeeasy(key, secret, REQUEST)?)
        },
    ),
    update(
        "domeneshop",
        "Domeneshop",
        &[
            secret("api_token", "API token"),
            secret("api_secret", "API secret"),
        ],
        300,
        |o| {
            let (token, secret) = (o.get("api_token"), o.get("api_secret"));
            Ok(DnsUpdater::new_domeneshop(token, secret, REQUEST)?)
        },
    ),
    update(
        "dreamhost",
        "DreamHost",
        &[secret("api_key", "API key")],
        TTL,
        |o| Ok(DnsUpdater::new_dreamhost(o.get("api_key"), REQUEST)?),
    ),
    single(
        "duckdns",
        "DuckDNS",
        &[secret("token", "account token")],
        |o| Ok(DnsUpdater::new_duckdns(o.get("token"), REQUEST)?),
    ),
    update("dynu", "Dynu", &[secret("api_key", "API key")], 300, |o| {
        Ok(DnsUpdater::new_dynu(o.get("api_key"), REQUEST)?)
    }),
    update(
        "easydns",
        "easyDNS",
        &[secret("token", "API token"), secret("key", "API key")],
        TTL,
        |o| {
            let (token, key) = (o.get("token"), o.get("key"));
            Ok(DnsUpdater::new_easydns(token, key, REQUEST)?)
        },
    ),
    update(
        "edgedns",
        "Akamai Edge DNS",
        &[
            required("host", "API host"),
            secret("client_token", "client token"),
            secret("client_secret", "client secret"),
            secret("access_token", "access token"),
            optional("account_switch_key", "account switch key"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_edgedns(EdgeDnsConfig {
                host: o.get("host").to_owned(),
                client_token: o.get("client_token").to_owned(),
                client_secret: o.get("client_secret").to_owned(),
                access_token: o.get("access_token").to_owned(),
                account_switch_key: o.owned("account_switch_key"),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "exoscale",
        "Exoscale",
        &[
            secret("api_key", "API key"),
            secret("api_secret", "API secret"),
        ],
        TTL,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("api_secret"));
            Ok(DnsUpdater::new_exoscale(key, secret, REQUEST)?)
        },
    ),
    single(
        "freemyip",
        "freemyip.com",
        &[secret("token", "account token")],
        |o| Ok(DnsUpdater::new_freemyip(o.get("token"), REQUEST)?),
    ),
    update(
        "gandiv5",
        "Gandi LiveDNS",
        &[secret("token", "personal access token")],
        300,
        |o| Ok(DnsUpdater::new_gandiv5(o.get("token"), REQUEST)?),
    ),
    update(
        "gcore",
        "Gcore DNS",
        &[secret("token", "permanent API token")],
        TTL,
        |o| Ok(DnsUpdater::new_gcore(o.get("token"), REQUEST)?),
    ),
    update(
        "glesys",
        "GleSYS",
        &[
            required("api_user", "API user"),
            secret("api_key", "API key"),
        ],
        60,
        |o| {
            let (user, key) = (o.get("api_user"), o.get("api_key"));
            Ok(DnsUpdater::new_glesys(user, key, REQUEST)?)
        },
    ),
    update(
        "godaddy",
        "GoDaddy",
        &[
            secret("api_key", "API key"),
            secret("api_secret", "API secret"),
        ],
        600,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("api_secret"));
            Ok(DnsUpdater::new_godaddy(key, secret, REQUEST)?)
        },
    ),
    update(
        "google-cloud-dns",
        "Google Cloud DNS",
        &[
            secret(
                "service_account_json",
                "the service account's key file, as text",
            ),
            required("project_id", "project id"),
            optional("managed_zone", "managed zone; found by name if absent"),
            optional("private_zone", "true: private zones alone"),
            optional(
                "impersonate_service_account",
                "account to impersonate, an e-mail address",
            ),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_google_cloud_dns(GoogleCloudDnsConfig {
                service_account_json: o.get("service_account_json").to_owned(),
                project_id: o.get("project_id").to_owned(),
                managed_zone: o.owned("managed_zone"),
                private_zone: o.flag("private_zone")?,
                impersonate_service_account: o.owned("impersonate_service_account"),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "hetzner",
        "Hetzner DNS",
        &[secret("token", "API token of the Hetzner Console")],
        TTL,
        |o| Ok(DnsUpdater::new_hetzner(o.get("token"), REQUEST)?),
    ),
    update(
        "hostingde",
        "hosting.de",
        &[secret("api_key", "API key")],
        TTL,
        |o| Ok(DnsUpdater::new_hostingde(o.get("api_key"), REQUEST)?),
    ),
    update(
        "hostinger",
        "Hostinger",
        &[secret("token", "API token")],
        TTL,
        |o| Ok(DnsUpdater::new_hostinger(o.get("token"), REQUEST)?),
    ),
    update(
        "huaweicloud",
        "Huawei Cloud DNS",
        &[
            required("access_key", "access key id"),
            secret("secret_key", "access key secret"),
            required("region", "region"),
        ],
        300,
        |o| {
            let (access, key) = (o.get("access_key"), o.get("secret_key"));
            let region = o.get("region");
            Ok(DnsUpdater::new_huaweicloud(access, key, region, REQUEST)?)
        },
    ),
    single(
        "hurricane",
        "Hurricane Electric",
        &[secret(
            "credentials",
            "ZONE=KEY of each zone's dynamic TXT record, separated by commas",
        )],
        |o| {
            let pairs: Option<HashMap<String, String>> = o
                .get("credentials")
                .split(',')
                .map(|pair| {
                    let (zone, key) = pair.trim().split_once('=')?;
                    Some((zone.to_owned(), key.to_owned()))
                })
                .collect();
            let pairs = pairs.ok_or_else(|| {
                Problem("the option credentials is not ZONE=KEY, separated by commas".to_owned())
            })?;
            Ok(DnsUpdater::new_hurricane(pairs, REQUEST)?)
        },
    ),
];
