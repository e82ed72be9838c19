#!/bin/sh
# Loads one layer of whatever GDAL reads, with command lines alone: ogr2ogr, psql, locaria-report.
# `locaria-report run` calls it for each file; the parameters are $P_path, $P_table, $P_layer, ….
set -eu
here=$(dirname "$(readlink -f "$0")")

fatal() { # says why, and that another attempt would end the same way
  echo "::locaria error kind=data msg=$*"
  exit 65
}
[ -n "${P_path:-}" ] || fatal "attribute path is missing"
[ -n "${P_table:-}" ] || fatal "attribute table is missing"
# To GDAL, a name of a reference system may be a file or a URL.
expr "${P_srs:-EPSG:0}" : 'EPSG:[0-9]\{1,6\}$' >/dev/null ||
  fatal "attribute srs: $P_srs is given, EPSG: and a number is needed"

# Only formats that are files: GDAL's other drivers ask servers, or open what a file tells them to.
formats='GPKG|GeoJSON|GeoJSONSeq|ESRI Shapefile|CSV|FlatGeobuf|KML|GPX|GML|MapInfo File|OpenFileGDB'
GDAL_SKIP=$(ogrinfo --formats | sed -n 's/^  \(.*\) -[a-z, ]*- (.*/\1/p' |
  grep -vxE "$formats|PGDUMP" | paste -sd, -)
export GDAL_SKIP

locaria-report stage fetch
case $P_path in
  http://* | https://*)
    # In a folder of its own: LR_TMP holds the files that say where the database is.
    mkdir "$LR_TMP/fetched"
    input=$LR_TMP/fetched/${P_path##*/}
    locaria-report fetch "$P_path" -o "$input"
    ;;
  *)
    # Resolved: /vsicurl/… and the like are what they look like here, files that are not there.
    input=$(readlink -e -- "$P_path") || fatal "there is no file $P_path"
    "$here/allowed.sh" "$input" || fatal "$P_path is outside of what may be read here"
    ;;
esac
[ "$(head -c 2 -- "$input")" != PK ] || input=/vsizip/$input

locaria-report stage inspect
ogrinfo -ro -q "$input" >"$LR_TMP/layers" 2>"$LR_TMP/errors" ||
  fatal "GDAL can't read $P_path: $(grep -m1 . "$LR_TMP/errors")"
layer=${P_layer:-}
if [ -z "$layer" ]; then
  [ "$(grep -c '^[0-9]*: ' "$LR_TMP/layers")" = 1 ] ||
    fatal "attribute layer is needed, one of: $(sed 's/^[0-9]*: //' "$LR_TMP/layers" | paste -sd, -)"
  layer=$(sed -n 's/^1: \(.*[^)]\)\( ([^()]*)\)\{0,1\}$/\1/p' "$LR_TMP/layers")
fi
case $layer in -*) fatal "layer $layer: a name that begins with - is not taken" ;; esac

# SQL that makes a temporary table and COPYs the rows into it. ogr2ogr never sees the database, so
# no message of it can show a password.
locaria-report stage convert --weight 5
locaria-report exec --parse gdal -- ogr2ogr -progress --config PG_USE_COPY YES \
  -f PGDUMP "$LR_TMP/rows.sql" "$input" "$layer" ${P_srs:+-t_srs "$P_srs"} -nln loaded \
  -lco SCHEMA=pg_temp -lco CREATE_SCHEMA=OFF -lco DROP_TABLE=OFF -lco LAUNDER=NO \
  -lco FID=gdal_fid -lco GEOMETRY_NAME=geometry -lco SPATIAL_INDEX=NONE
# The geometry comes as hexadecimal EWKB; what becomes of it is publish.sql's matter.
sed -i '1,/^COPY /s/^SELECT AddGeometryColumn.*/alter table pg_temp.loaded add column geometry text;/' \
  "$LR_TMP/rows.sql"

# Published in the transaction that also says that the file is done: readers see the old table, or
# the new one.
locaria-report stage load --weight 4
psql service=locaria --no-psqlrc --quiet --output=/dev/null -v ON_ERROR_STOP=1 \
  -v run="$LOCARIA_RUN" -v table="$P_table" -v mode="${P_mode:-replace}" -v layer="$layer" \
  -f "$LR_TMP/rows.sql" -f "$here/publish.sql"
