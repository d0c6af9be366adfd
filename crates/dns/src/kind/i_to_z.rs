//! The kinds that dns-update brings, from I to Z.

use dns_update::{
    DnsUpdater,
    providers::{
        infoblox::InfobloxConfig, joker::JokerAuth, lightsail::LightsailConfig,
        oraclecloud::OracleCloudConfig, ovh::OvhEndpoint, route53::Route53Config,
        volcengine::VolcengineConfig, yandexcloud::YandexCloudConfig,
    },
};

use super::{Kind, TTL, optional, optional_secret, required, secret, update};
use crate::{call::REQUEST, options::Problem};

/// The kinds, by name.
pub(super) const KINDS: &[Kind] = &[
    update(
        "ibmcloud",
        "IBM Cloud (SoftLayer)",
        &[
            required("username", "user name"),
            secret("api_key", "API key"),
        ],
        TTL,
        |o| {
            let (user, key) = (o.get("username"), o.get("api_key"));
            Ok(DnsUpdater::new_ibmcloud(user, key, REQUEST)?)
        },
    ),
    update(
        "infoblox",
        "Infoblox NIOS",
        &[
            required("host", "WAPI host"),
            optional("port", "WAPI port, 443 if absent"),
            required("username", "user name"),
            secret("password", "password"),
            optional("wapi_version", "WAPI version"),
            optional("dns_view", "DNS view"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_infoblox(InfobloxConfig {
                host: o.get("host").to_owned(),
                port: o.owned("port"),
                username: o.get("username").to_owned(),
                password: o.get("password").to_owned(),
                wapi_version: o.owned("wapi_version"),
                dns_view: o.owned("dns_view"),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "infomaniak",
        "Infomaniak",
        &[secret("token", "API token")],
        7200,
        |o| Ok(DnsUpdater::new_infomaniak(o.get("token"), REQUEST)?),
    ),
    update(
        "inwx",
        "INWX",
        &[
            required("username", "user name"),
            secret("password", "password"),
            optional("sandbox", "true: INWX's test system"),
        ],
        300,
        |o| {
            let (user, password) = (o.get("username"), o.get("password"));
            let sandbox = o.flag("sandbox")?;
            Ok(DnsUpdater::new_inwx(user, password, sandbox, REQUEST)?)
        },
    ),
    update(
        "ionos",
        "IONOS",
        &[secret("api_key", "API key, PREFIX.SECRET")],
        300,
        |o| Ok(DnsUpdater::new_ionos(o.get("api_key"), REQUEST)?),
    ),
    update(
        "ipv64",
        "IPv64",
        &[secret("api_key", "API key")],
        TTL,
        |o| Ok(DnsUpdater::new_ipv64(o.get("api_key"), REQUEST)?),
    ),
    update(
        "joker",
        "Joker",
        &[
            optional_secret("api_key", "API key; this or username and password"),
            optional("username", "user name, instead of api_key"),
            optional_secret("password", "password, instead of api_key"),
        ],
        300,
        |o| {
            let auth = match (o.opt("api_key"), o.opt("username"), o.opt("password")) {
                (Some(key), None, None) => JokerAuth::api_key(key),
                (None, Some(user), Some(password)) => JokerAuth::username_password(user, password),
                _ => {
                    let problem = "give either api_key, or username and password";
                    return Err(Problem(problem.to_owned()));
                }
            };
            Ok(DnsUpdater::new_joker(auth, REQUEST)?)
        },
    ),
    update(
        "lightsail",
        "AWS Lightsail",
        &[
            required("access_key_id", "access key id"),
            secret("secret_access_key", "secret access key"),
            optional_secret("session_token", "session token"),
            optional("region", "region"),
            optional("domain", "domain; found by name if absent"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_lightsail(LightsailConfig {
                access_key_id: o.get("access_key_id").to_owned(),
                secret_access_key: o.get("secret_access_key").to_owned(),
                session_token: o.owned("session_token"),
                region: o.owned("region"),
                domain: o.owned("domain"),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "linode",
        "Linode",
        &[secret("token", "API token")],
        300,
        |o| Ok(DnsUpdater::new_linode(o.get("token"), REQUEST)?),
    ),
    update(
        "luadns",
        "LuaDNS",
        &[
            required("api_username", "account's e-mail address"),
            secret("api_token", "API token"),
        ],
        300,
        |o| {
            let (user, token) = (o.get("api_username"), o.get("api_token"));
            Ok(DnsUpdater::new_luadns(user, token, REQUEST)?)
        },
    ),
    update(
        "mythicbeasts",
        "Mythic Beasts",
        &[
            required("username", "API key id"),
            secret("password", "API secret"),
        ],
        TTL,
        |o| {
            let (user, password) = (o.get("username"), o.get("password"));
            Ok(DnsUpdater::new_mythicbeasts(user, password, REQUEST)?)
        },
    ),
    update(
        "namecheap",
        "Namecheap",
        &[
            required("api_user", "API user"),
            secret("api_key", "API key"),
            required("client_ip", "the address that Namecheap has on its list"),
            optional("username", "user to act for; api_user if absent"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_namecheap(
                o.get("api_user"),
                o.get("api_key"),
                o.get("client_ip"),
                o.opt("username"),
                REQUEST,
            )?)
        },
    ),
    update(
        "namedotcom",
        "Name.com",
        &[
            required("username", "user name"),
            secret("api_token", "API token"),
        ],
        300,
        |o| {
            let (user, token) = (o.get("username"), o.get("api_token"));
            Ok(DnsUpdater::new_namedotcom(user, token, REQUEST)?)
        },
    ),
    update(
        "namesilo",
        "NameSilo",
        &[secret("api_key", "API key")],
        3600,
        |o| Ok(DnsUpdater::new_namesilo(o.get("api_key"), REQUEST)?),
    ),
    update(
        "netcup",
        "netcup",
        &[
            required("customer_number", "customer number"),
            secret("api_key", "API key"),
            secret("api_password", "API password"),
        ],
        TTL,
        |o| {
            let (key, password) = (o.get("api_key"), o.get("api_password"));
            let customer = o.get("customer_number");
            Ok(DnsUpdater::new_netcup(customer, key, password, REQUEST)?)
        },
    ),
    update(
        "netlify",
        "Netlify",
        &[secret("token", "access token")],
        TTL,
        |o| Ok(DnsUpdater::new_netlify(o.get("token"), REQUEST)?),
    ),
    update(
        "nifcloud",
        "NIFCLOUD",
        &[
            required("access_key", "access key"),
            secret("secret_key", "secret access key"),
        ],
        TTL,
        |o| {
            let (access, key) = (o.get("access_key"), o.get("secret_key"));
            Ok(DnsUpdater::new_nifcloud(access, key, REQUEST)?)
        },
    ),
    update("ns1", "NS1", &[secret("api_key", "API key")], TTL, |o| {
        Ok(DnsUpdater::new_ns1(o.get("api_key"), REQUEST)?)
    }),
    update(
        "oraclecloud",
        "Oracle Cloud DNS",
        &[
            required("tenancy_ocid", "OCID of the tenancy"),
            required("user_ocid", "OCID of the user"),
            required("fingerprint", "fingerprint of the API key"),
            secret("private_key_pem", "the API key in PEM, as text"),
            optional_secret("private_key_password", "password of the API key"),
            required("region", "region"),
            required("compartment_ocid", "OCID of the compartment"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_oraclecloud(OracleCloudConfig {
                tenancy_ocid: o.get("tenancy_ocid").to_owned(),
                user_ocid: o.get("user_ocid").to_owned(),
                fingerprint: o.get("fingerprint").to_owned(),
                private_key_pem: o.get("private_key_pem").to_owned(),
                private_key_password: o.owned("private_key_password"),
                region: o.get("region").to_owned(),
                compartment_ocid: o.get("compartment_ocid").to_owned(),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "ovh",
        "OVH",
        &[
            required("application_key", "application key"),
            secret("application_secret", "application secret"),
            secret("consumer_key", "consumer key"),
            required(
                "endpoint",
                "ovh-eu, ovh-us, ovh-ca, kimsufi-eu, kimsufi-ca, soyoustart-eu or soyoustart-ca",
            ),
        ],
        TTL,
        |o| {
            let endpoint: OvhEndpoint = o.get("endpoint").parse()?;
            Ok(DnsUpdater::new_ovh(
                o.get("application_key"),
                o.get("application_secret"),
                o.get("consumer_key"),
                endpoint,
                REQUEST,
            )?)
        },
    ),
    update(
        "pdns",
        "PowerDNS Authoritative",
        &[
            secret("api_key", "API key"),
            optional(
                "endpoint",
                "URL of the API, http://localhost:8081 if absent",
            ),
            optional("server_name", "server id, localhost if absent"),
        ],
        TTL,
        |o| {
            let (endpoint, server) = (o.opt("endpoint"), o.opt("server_name"));
            Ok(DnsUpdater::new_pdns(
                o.get("api_key"),
                endpoint,
                server,
                REQUEST,
            )?)
        },
    ),
    update(
        "plesk",
        "Plesk",
        &[
            required("base_url", "URL of the server, with its port"),
            secret("api_key", "API key"),
        ],
        TTL,
        |o| {
            let (url, key) = (o.get("base_url"), o.get("api_key"));
            Ok(DnsUpdater::new_plesk(url, key, REQUEST)?)
        },
    ),
    update(
        "porkbun",
        "Porkbun",
        &[
            secret("api_key", "API key"),
            secret("secret_api_key", "secret API key"),
        ],
        600,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("secret_api_key"));
            Ok(DnsUpdater::new_porkbun(key, secret, REQUEST)?)
        },
    ),
    update(
        "route53",
        "AWS Route 53",
        &[
            required("access_key_id", "access key id"),
            secret("secret_access_key", "secret access key"),
            optional_secret("session_token", "session token"),
            optional("region", "region to sign for, us-east-1 if absent"),
            optional("hosted_zone_id", "hosted zone; found by name if absent"),
            optional("private_zone_only", "true: private zones alone"),
            optional("endpoint", "URL of the API"),
        ],
        TTL,
        |o| {
            Ok(DnsUpdater::new_route53(Route53Config {
                access_key_id: o.get("access_key_id").to_owned(),
                secret_access_key: o.get("secret_access_key").to_owned(),
                session_token: o.owned("session_token"),
                region: o.owned("region"),
                hosted_zone_id: o.owned("hosted_zone_id"),
                private_zone_only: Some(o.flag("private_zone_only")?),
                endpoint: o.owned("endpoint"),
            })?)
        },
    ),
    update(
        "safedns",
        "ANS SafeDNS",
        &[secret("token", "API token")],
        TTL,
        |o| Ok(DnsUpdater::new_safedns(o.get("token"), REQUEST)?),
    ),
    update(
        "scaleway",
        "Scaleway",
        &[secret("token", "API secret key")],
        60,
        |o| Ok(DnsUpdater::new_scaleway(o.get("token"), REQUEST)?),
    ),
    update(
        "selectel",
        "Selectel",
        &[
            required("username", "service user"),
            secret("password", "password"),
            required("account_id", "account id"),
            required("project_id", "project id"),
        ],
        60,
        |o| {
            Ok(DnsUpdater::new_selectel(
                o.get("username"),
                o.get("password"),
                o.get("account_id"),
                o.get("project_id"),
                REQUEST,
            )?)
        },
    ),
    update(
        "simplycom",
        "Simply.com",
        &[
            required("account_name", "account name"),
            secret("api_key", "API key"),
        ],
        TTL,
        |o| {
            let (account, key) = (o.get("account_name"), o.get("api_key"));
            Ok(DnsUpdater::new_simplycom(account, key, REQUEST)?)
        },
    ),
    update(
        "spaceship",
        "Spaceship",
        &[
            secret("api_key", "API key"),
            secret("api_secret", "API secret"),
        ],
        TTL,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("api_secret"));
            Ok(DnsUpdater::new_spaceship(key, secret, REQUEST)?)
        },
    ),
    update(
        "tencentcloud",
        "Tencent Cloud DNSPod",
        &[
            required("secret_id", "secret id"),
            secret("secret_key", "secret key"),
            optional("region", "region"),
            optional_secret("session_token", "session token"),
        ],
        600,
        |o| {
            Ok(DnsUpdater::new_tencentcloud(
                o.get("secret_id"),
                o.get("secret_key"),
                o.opt("region"),
                o.opt("session_token"),
                REQUEST,
            )?)
        },
    ),
    update(
        "transip",
        "TransIP",
        &[
            required("login", "account name"),
            secret("private_key_pem", "the API key in PEM, as text"),
            optional("global_key", "true: the key works from every address"),
        ],
        300,
        |o| {
            let (login, key) = (o.get("login"), o.get("private_key_pem"));
            let global = o.flag("global_key")?;
            Ok(DnsUpdater::new_transip(login, key, global, REQUEST)?)
        },
    ),
    update(
        "ultradns",
        "UltraDNS",
        &[
            required("username", "user name"),
            secret("password", "password"),
            optional("endpoint", "URL of the API"),
        ],
        TTL,
        |o| {
            let (user, password) = (o.get("username"), o.get("password"));
            let endpoint = o.owned("endpoint");
            Ok(DnsUpdater::new_ultradns(user, password, endpoint, REQUEST)?)
        },
    ),
    update(
        "vercel",
        "Vercel",
        &[
            secret("token", "access token"),
            optional("team_id", "team id"),
        ],
        60,
        |o| {
            let (token, team) = (o.get("token"), o.opt("team_id"));
            Ok(DnsUpdater::new_vercel(token, team, REQUEST)?)
        },
    ),
    update(
        "volcengine",
        "Volcano Engine",
        &[
            required("access_key", "access key id"),
            secret("secret_key", "secret access key"),
            optional("region", "region"),
            optional("host", "API host"),
            optional("scheme", "https if absent"),
        ],
        600,
        |o| {
            Ok(DnsUpdater::new_volcengine(VolcengineConfig {
                access_key: o.get("access_key").to_owned(),
                secret_key: o.get("secret_key").to_owned(),
                region: o.owned("region"),
                host: o.owned("host"),
                scheme: o.owned("scheme"),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "vultr",
        "Vultr",
        &[secret("api_key", "API key")],
        TTL,
        |o| Ok(DnsUpdater::new_vultr(o.get("api_key"), REQUEST)?),
    ),
    update(
        "websupport",
        "Websupport",
        &[secret("api_key", "API key"), secret("secret", "API secret")],
        600,
        |o| {
            let (key, secret) = (o.get("api_key"), o.get("secret"));
            Ok(DnsUpdater::new_websupport(key, secret, REQUEST)?)
        },
    ),
    update(
        "yandexcloud",
        "Yandex Cloud DNS",
        &[
            secret(
                "iam_token_b64",
                "the service account's authorized key file, in base64",
            ),
            required("folder_id", "folder id"),
        ],
        60,
        |o| {
            Ok(DnsUpdater::new_yandexcloud(YandexCloudConfig {
                iam_token_b64: o.get("iam_token_b64").to_owned(),
                folder_id: o.get("folder_id").to_owned(),
                request_timeout: REQUEST,
            })?)
        },
    ),
    update(
        "zoneeu",
        "Zone.eu",
        &[
            required("username", "ZoneID user name"),
            secret("api_key", "API key"),
        ],
        300,
        |o| {
            let (user, key) = (o.get("username"), o.get("api_key"));
            Ok(DnsUpdater::new_zoneeu(user, key, REQUEST)?)
        },
    ),
];
